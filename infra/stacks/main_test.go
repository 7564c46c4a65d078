package stacks_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/infra/committed"
	"behalf.dev/behalf/infra/stacks"
)

// TestMain stops the process that CDK runs in. The tests share it and so do not run in parallel.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// templates synthesises with o and returns the normalised templates by file name.
func templates(t *testing.T, o stacks.Options) map[string][]byte {
	t.Helper()
	o.Placeholder = filepath.Join("..", o.Placeholder)
	dir := t.TempDir()
	stacks.Synthesise(dir, o)
	out, err := committed.Templates(dir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
