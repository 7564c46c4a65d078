package connectors_test

import (
	"testing"

	"behalf.dev/behalf/connectors"
)

// BenchmarkLoad is what the connectors add to the start of a function, and the tools of one to the first call of it.
func BenchmarkLoad(b *testing.B) {
	b.Run("manifests", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := connectors.Load(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("at-the-start", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := connectors.FromEnv(func(string) (string, bool) { return "", false }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("tools-of-one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			c, err := connectors.Load()
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			_, tool, err := c.Tool("github_list_issues")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := tool.ValidateInput([]byte(`{"owner":"a","repo":"b"}`)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
