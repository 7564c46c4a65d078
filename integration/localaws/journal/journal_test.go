package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpen_TornLastLine_IsDroppedAndTheRestKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var got []string
	load := func(service, kind string, data []byte) error {
		got = append(got, service+" "+kind+" "+string(data))
		return nil
	}
	none := func(Emit) {}
	j, err := Open(dir, load, none)
	if err != nil {
		t.Fatal(err)
	}
	j.Append("ddb", "items", 1)
	j.Append("kms", "key", "k")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, `{"s":"ddb","k":"it`...), 0o600); err != nil {
		t.Fatal(err)
	}
	keep := func(emit Emit) { emit("ddb", "items", 2) }
	if j, err = Open(dir, load, keep); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if strings.Join(got, ",") != `ddb items 1,kms key "k"` {
		t.Errorf("replayed %v", got)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "{\"s\":\"ddb\",\"k\":\"items\",\"d\":2}\n" {
		t.Errorf("compacted to %s, %v", b, err)
	}
}
