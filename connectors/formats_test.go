package connectors_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/catalog"
)

// What the vendors' APIs accept of a tool: name, length of the description, and the keywords of its schema.
var vendors = map[string]struct {
	name        string
	description int
	schema      []string // path to the schema
	keywords    string   // empty: all of JSON Schema
}{
	catalog.FormatMCP:       {`^[A-Za-z0-9_.-]{1,64}$`, 4096, []string{"inputSchema"}, ""},
	catalog.FormatOpenAI:    {`^[a-zA-Z0-9_-]{1,64}$`, 1024, []string{"function", "parameters"}, ""},
	catalog.FormatAnthropic: {`^[a-zA-Z0-9_-]{1,64}$`, 4096, []string{"input_schema"}, ""},
	catalog.FormatGemini: {`^[a-zA-Z_][a-zA-Z0-9_.-]{0,63}$`, 4096, []string{"parametersJsonSchema"},
		"$id $defs $ref $anchor type format title description enum items prefixItems minItems maxItems minimum maximum anyOf oneOf properties additionalProperties required"},
}

func TestDefinition_OfEveryTool_IsWhatTheVendorAccepts(t *testing.T) {
	t.Parallel()
	cat, err := connectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range cat.Connectors() {
		tools, err := c.Tools()
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools {
			for format := range vendors {
				checkFormat(t, tool, format)
				n++
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d definitions were checked", n)
	}
}

func checkFormat(t *testing.T, tool *catalog.Tool, format string) {
	t.Helper()
	v := vendors[format]
	b, err := json.Marshal(tool.Definition(format))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	at := doc
	if f, ok := doc["function"].(map[string]any); ok {
		at = f
	}
	name, _ := at["name"].(string)
	text, _ := at["description"].(string)
	if !regexp.MustCompile(v.name).MatchString(name) || text == "" || len([]rune(text)) > v.description {
		t.Errorf("%s: name %q, description of %d characters", format, name, len([]rune(text)))
	}
	for _, k := range v.schema[:len(v.schema)-1] {
		doc, _ = doc[k].(map[string]any)
	}
	schema, ok := doc[v.schema[len(v.schema)-1]].(map[string]any)
	if !ok {
		if format != catalog.FormatGemini || !strings.Contains(string(tool.InputSchema), `"properties":{}`) {
			t.Errorf("%s: %s has no schema", format, name)
		}
		return
	}
	if schema["type"] != "object" || format == catalog.FormatGemini && len(schema["properties"].(map[string]any)) == 0 {
		t.Errorf("%s: %s has the schema %v", format, name, schema)
	}
	if v.keywords != "" {
		checkKeywords(t, name, schema, strings.Fields(v.keywords))
	}
}

// checkKeywords looks at a schema and those of its properties and items.
func checkKeywords(t *testing.T, at string, schema map[string]any, known []string) {
	t.Helper()
	for k := range schema {
		if !slices.Contains(known, k) {
			t.Errorf("%s uses %q", at, k)
		}
	}
	props, _ := schema["properties"].(map[string]any)
	for name, p := range props {
		checkKeywords(t, at+"."+name, p.(map[string]any), known)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		checkKeywords(t, at+"[]", items, known)
	}
}
