package committed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const suffix = ".template.json"

// Templates reads the templates of the cloud assembly in outdir and normalises them. The result is keyed by file name.
func Templates(outdir string) (map[string][]byte, error) {
	files, err := filepath.Glob(filepath.Join(outdir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no templates in %s", outdir)
	}
	out := map[string][]byte{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read template: %w", err)
		}
		if out[filepath.Base(f)], err = Normalise(raw); err != nil {
			return nil, fmt.Errorf("normalise %s: %w", f, err)
		}
	}
	return out, nil
}

// Canary tells whether a file holds the template of the canary's stack, which the local stack does not deploy.
func Canary(file string) bool { return strings.HasSuffix(file, "-canary"+suffix) }

// Write replaces the templates in dir, and that of the canary in canaryDir, by those of the cloud assembly in outdir.
func Write(outdir, dir, canaryDir string) error {
	templates, err := Templates(outdir)
	if err != nil {
		return err
	}
	canary := map[string][]byte{}
	for name, text := range templates {
		if Canary(name) {
			canary[name] = text
			delete(templates, name)
		}
	}
	if err := replace(canaryDir, canary); err != nil {
		return err
	}
	return replace(dir, templates)
}

// replace makes templates all that dir holds of templates.
func replace(dir string, templates map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the templates' directory: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return fmt.Errorf("list old templates: %w", err)
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return fmt.Errorf("remove old template: %w", err)
		}
	}
	for name, text := range templates {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("write template: %w", err)
		}
	}
	return nil
}

// Normalise pretty-prints a template with sorted keys, without CDK's metadata and bootstrap check, and with each function's
// code under the function's own name. It returns an error for text that is not a template.
func Normalise(raw []byte) ([]byte, error) {
	var t map[string]any
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, fmt.Errorf("decode template: %w", err)
	}
	resources, ok := t["Resources"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the template has no resources")
	}
	drop(t, "Rules", "CheckBootstrapVersion")
	drop(t, "Parameters", "BootstrapVersion")
	for _, r := range resources {
		if resource, ok := r.(map[string]any); ok {
			delete(resource, "Metadata")
			fixCode(resource)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // sorts the keys of maps
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(t); err != nil {
		return nil, fmt.Errorf("encode template: %w", err)
	}
	return b.Bytes(), nil
}

// drop removes name from a section, and the section when nothing is left in it.
func drop(t map[string]any, section, name string) {
	if s, ok := t[section].(map[string]any); ok {
		delete(s, name)
		if len(s) == 0 {
			delete(t, section)
		}
	}
}

func fixCode(resource map[string]any) {
	if resource["Type"] != "AWS::Lambda::Function" {
		return
	}
	properties, _ := resource["Properties"].(map[string]any)
	name, _ := properties["FunctionName"].(string)
	short := name[strings.LastIndex(name, "-")+1:]
	properties["Code"] = map[string]any{"S3Bucket": "assets", "S3Key": short + ".zip"}
}
