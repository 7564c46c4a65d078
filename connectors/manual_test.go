package connectors_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/connectors"
)

var updateManual = flag.Bool("update", false, "write the fields of docs/manifest.md again")

const (
	manual      = "../docs/manifest.md"
	manualStart = "<!-- fields: go test ./connectors -run Manual -update -->\n"
	manualEnd   = "<!-- end -->"
)

// knob is a field of the schema: its path, with [] for members of a list and * for a name that the author chooses.
type knob struct{ path, values, text string }

// fieldsOf walks the schema of connector.yaml.
func fieldsOf(t *testing.T) []knob {
	t.Helper()
	data, err := fs.ReadFile(connectors.Files(), "schema/connector.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	w := &walker{defs: doc["$defs"].(map[string]any)}
	w.object("", doc)
	return w.out
}

type walker struct {
	defs map[string]any
	out  []knob
}

func (w *walker) object(at string, s map[string]any) {
	props, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		w.field(strings.TrimPrefix(at+"."+name, "."), props[name].(map[string]any))
	}
}

func (w *walker) field(at string, s map[string]any) {
	text, _ := s["description"].(string)
	if ref, ok := s["$ref"].(string); ok {
		s = w.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		if text == "" {
			text, _ = s["description"].(string)
		}
	}
	w.out = append(w.out, knob{at, kindOf(s), text})
	w.object(at, s)
	if items, ok := s["items"].(map[string]any); ok {
		w.below(at+"[]", items)
	}
	if values, ok := s["additionalProperties"].(map[string]any); ok {
		w.below(at+".*", values)
	}
}

// below is a member of a list or map; what alternatives it has are walked like one.
func (w *walker) below(at string, s map[string]any) {
	if ref, ok := s["$ref"].(string); ok {
		s = w.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	w.object(at, s)
	for _, one := range append(list(s["oneOf"]), list(s["anyOf"])...) {
		if sub, ok := one.(map[string]any); ok {
			w.object(at, sub)
		}
	}
}

func list(v any) []any { l, _ := v.([]any); return l }

func kindOf(s map[string]any) string {
	if values := list(s["enum"]); values != nil {
		var out []string
		for _, v := range values {
			out = append(out, fmt.Sprint(v))
		}
		return strings.Join(out, ", ")
	}
	if items, ok := s["items"].(map[string]any); ok {
		if values := list(items["enum"]); values != nil {
			return "list of " + kindOf(items)
		}
		return "list"
	}
	kind, _ := s["type"].(string)
	return map[string]string{"object": "map", "string": "text", "integer": "number", "boolean": "true or false"}[kind]
}

// TestManual_Fields_AreThoseOfTheSchema keeps the second part of the manual.
func TestManual_Fields_AreThoseOfTheSchema(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("| field | is | |\n|---|---|---|\n")
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	for _, k := range fieldsOf(t) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.path, cell.Replace(k.values), cell.Replace(k.text))
	}
	data, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), manualStart)
	old, tail, end := strings.Cut(rest, manualEnd)
	if !ok || !end {
		t.Fatal("the markers around the fields are gone")
	}
	if old == b.String() {
		return
	}
	if !*updateManual {
		t.Fatal("docs/manifest.md does not list the fields of the schema; go test ./connectors -run Manual -update")
	}
	if err := os.WriteFile(manual, []byte(head+manualStart+b.String()+manualEnd+tail), 0o600); err != nil {
		t.Fatal(err)
	}
}

var quoted = regexp.MustCompile("`([a-z_]+(?:\\.[a-z_*]+|\\[\\])*)`")

// TestManual_Knobs_NameFieldsThatExist: the last column of the first part names fields of the schema, or, behind "refused:", what
// must not be one.
func TestManual_Knobs_NameFieldsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, k := range fieldsOf(t) {
		known[k.path] = true
	}
	data, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(data), "## Every field")
	rows := 0
	for line := range strings.SplitSeq(head, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "| ") || strings.TrimSpace(cells[0]) == "what" {
			continue
		}
		last := strings.TrimSpace(strings.ReplaceAll(cells[len(cells)-1], "`*`", ""))
		refused := strings.HasPrefix(last, "refused:")
		found := quoted.FindAllStringSubmatch(last, -1)
		rows++
		named := 0
		for _, m := range found {
			top, _, _ := strings.Cut(m[1], ".")
			if !strings.Contains(m[1], ".") && !known[top] || m[1] == "state" { // a word, not a field
				continue
			}
			named++
			if known[m[1]] == refused {
				t.Errorf("%s: %s", m[1], line)
			}
		}
		if named == 0 && !strings.HasPrefix(last, "`pagination`") {
			t.Errorf("names no field: %s", line)
		}
	}
	if rows < 30 {
		t.Errorf("only %d rows", rows)
	}
}
