package catalog

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const schemaDir = "../../connectors/schema"

// TestSchema_FieldNames_AgreeWithGoStructs walks structs and published schema side by side, so that neither gets a knob
// that the other does not know.
func TestSchema_FieldNames_AgreeWithGoStructs(t *testing.T) {
	t.Parallel()
	for file, typ := range map[string]reflect.Type{
		"connector.schema.json": reflect.TypeFor[manifest](),
		"tools.schema.json":     reflect.TypeFor[[]toolSpec](),
	} {
		data, err := os.ReadFile(filepath.Join(schemaDir, file))
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		w := &agreement{t: t, defs: doc["$defs"].(map[string]any), seen: map[reflect.Type]bool{}}
		w.walk(file, typ, doc)
		if len(w.seen) < 7 {
			t.Errorf("%s: only %d structs were compared", file, len(w.seen))
		}
	}
}

type agreement struct {
	t    *testing.T
	defs map[string]any
	seen map[reflect.Type]bool
}

func (w *agreement) walk(at string, typ reflect.Type, schema map[string]any) {
	if ref, ok := schema["$ref"].(string); ok {
		schema = w.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	switch typ.Kind() {
	case reflect.Pointer:
		w.walk(at, typ.Elem(), schema)
	case reflect.Slice:
		if items, ok := schema["items"].(map[string]any); ok {
			w.walk(at+"[]", typ.Elem(), items)
		}
	case reflect.Map:
		if values, ok := schema["additionalProperties"].(map[string]any); ok {
			w.walk(at+".*", typ.Elem(), values)
		}
	case reflect.Struct:
		w.object(at, typ, schema)
	}
}

func (w *agreement) object(at string, typ reflect.Type, schema map[string]any) {
	if w.seen[typ] {
		return
	}
	w.seen[typ] = true
	if alternatives, ok := schema["oneOf"].([]any); ok {
		schema = alternatives[len(alternatives)-1].(map[string]any)
	}
	props, _ := schema["properties"].(map[string]any)
	if schema["additionalProperties"] != false {
		w.t.Errorf("%s: the schema allows unknown fields", at)
	}
	var names []string
	for i := range typ.NumField() {
		name := typ.Field(i).Tag.Get("yaml")
		if name == "-" {
			continue
		}
		names = append(names, name)
		if sub, ok := props[name].(map[string]any); ok {
			w.walk(at+"."+name, typ.Field(i).Type, sub)
		}
	}
	slices.Sort(names)
	if known := slices.Sorted(maps.Keys(props)); !slices.Equal(names, known) {
		w.t.Errorf("%s:\n  struct %v\n  schema %v", at, names, known)
	}
}
