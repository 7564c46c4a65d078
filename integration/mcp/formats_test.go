package mcp_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/catalog"
)

// Every tool of every connector, in every format, against the types of the vendors' own SDKs and what they document: names,
// lengths, members, and the parts of JSON Schema that they take.
func TestFormats_AllTools_PassTheVendorsOwnTypes(t *testing.T) {
	if os.Getenv("BEHALF_MCP_CONFORMANCE") != "1" {
		t.Skip("set BEHALF_MCP_CONFORMANCE=1 to check formats with vendors' SDKs (needs Python 3; installs into BEHALF_TEST_CACHE)")
	}
	t.Parallel()
	cat, err := connectors.FromEnv(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	job, all, freeForm := map[string][]any{}, 0, []string{}
	for _, c := range cat.Connectors() {
		tools, err := c.Tools()
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools {
			all++
			for _, format := range catalog.Formats() {
				job[format] = append(job[format], tool.Definition(format))
			}
			if bytes.Contains(tool.InputSchema, []byte(`"additionalProperties":true`)) {
				freeForm = append(freeForm, tool.Name)
			}
		}
	}
	for format, tool := range broken() { // or a check that lets everything pass would go unnoticed
		job[format] = append(job[format], tool)
	}
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	cmd := limited(t, pythonProgram(t), "formats.py")
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, tail(errs.String(), 4000))
	}
	var got struct {
		Problems  []string
		NotStrict []string `json:"not_strict"`
		Tools     int
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range got.Problems {
		if strings.Contains(p, " broken: ") {
			found++
			continue
		}
		t.Error(p)
	}
	if found != len(catalog.Formats()) {
		t.Errorf("the broken tools were found in %d formats: %v", found, got.Problems)
	}
	if got.Tools != all+1 || all == 0 {
		t.Errorf("%d of %d tools were looked at", got.Tools, all)
	}
	// Strict mode wants every object closed; an input that the provider leaves open cannot be.
	if !slices.Equal(got.NotStrict, freeForm) {
		t.Errorf("OpenAI's strict mode cannot take %v; it should take all but %v", got.NotStrict, freeForm)
	}
	t.Logf("%d tools; not for OpenAI's strict mode: %v", all, got.NotStrict)
}

// broken is a tool per format with one mistake that the vendor's types must find.
func broken() map[string]any {
	schema := map[string]any{"type": "object", "properties": map[string]any{"x": map[string]any{"type": "string", "pattern": "^x$"}}}
	return map[string]any{
		catalog.FormatOpenAI:    map[string]any{"type": "function", "function": map[string]any{"name": "broken", "description": "x", "parameters": schema, "input_schema": schema}},
		catalog.FormatAnthropic: map[string]any{"name": "broken", "description": "x", "parameters": schema},
		catalog.FormatGemini:    map[string]any{"name": "broken", "description": "x", "parametersJsonSchema": schema},
		catalog.FormatMCP:       map[string]any{"name": "broken", "description": "x", "input_schema": schema},
	}
}
