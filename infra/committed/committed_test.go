package committed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"behalf.dev/behalf/infra/committed"
)

const withNoise = `{"Rules":{"CheckBootstrapVersion":{}},"Parameters":{"BootstrapVersion":{}},"Resources":{
 "F":{"Type":"AWS::Lambda::Function","Metadata":{"aws:asset:path":"asset.abc"},"Properties":{"FunctionName":"behalf-local-scim","Code":{"S3Bucket":"b","S3Key":"abc.zip"}}},
 "B":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"<a&b>"}}}}`

func TestNormalise_RemovesWhatChangesWithoutMeaning(t *testing.T) {
	t.Parallel()
	got, err := committed.Normalise([]byte(withNoise))
	if err != nil {
		t.Fatal(err)
	}
	other, err := committed.Normalise([]byte(strings.ReplaceAll(withNoise, "abc", "def")))
	if err != nil || string(other) != string(got) {
		t.Errorf("another asset hash changes the copy: %v\n%s", err, other)
	}
	for _, noise := range []string{"abc", "Bootstrap", "Metadata", `\u003c`} {
		if strings.Contains(string(got), noise) {
			t.Errorf("%q is left in\n%s", noise, got)
		}
	}
	for _, kept := range []string{`"S3Key": "scim.zip"`, `"QueueName": "<a&b>"`} {
		if !strings.Contains(string(got), kept) {
			t.Errorf("%q is missing in\n%s", kept, got)
		}
	}
}

func TestNormalise_NotATemplate_IsAnError(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{``, `[]`, `{}`, `{"Resources":1}`} {
		if out, err := committed.Normalise([]byte(bad)); err == nil {
			t.Errorf("%q gave %s", bad, out)
		}
	}
}

func TestWrite_ReplacesOldTemplatesAndNothingElse(t *testing.T) {
	t.Parallel()
	from, to, canary := t.TempDir(), t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(from, "new.template.json", withNoise)
	write(from, "behalf-local-canary.template.json", withNoise)
	write(to, "old.template.json", "{}")
	write(to, "doc.go", "package template")
	if err := committed.Write(from, to, canary); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(to, "*"))
	if err != nil || len(left) != 2 || filepath.Base(left[0]) != "doc.go" || filepath.Base(left[1]) != "new.template.json" {
		t.Errorf("%v, %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(canary, "*")); err != nil || len(left) != 1 || filepath.Base(left[0]) != "behalf-local-canary.template.json" {
		t.Errorf("%v, %v", left, err)
	}
	if err := committed.Write(t.TempDir(), to, canary); err == nil {
		t.Error("an assembly without templates is no error")
	}
}
