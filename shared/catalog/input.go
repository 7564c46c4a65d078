package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/fault"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Violation is one way in which an input breaks the tool's schema.
type Violation struct {
	// Field is a JSON pointer that starts with "/input".
	Field string `json:"field"`
	// Message tells a model what to change.
	Message string `json:"message"`
}

// ValidateInput checks raw against the tool's schema (JSON Schema 2020-12) and fills in top-level defaults. No input
// counts as {}. It returns fault.InvalidInput: Field is the first violation's pointer, the message tells all of them,
// and Detail "errors" lists them as []Violation. Numbers in the result are json.Number.
func (t *Tool) ValidateInput(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	v, err := decodeJSON(raw)
	if err != nil {
		return nil, fault.Invalid("/input", "the input of %s is not valid JSON", t.Name).WithCause(err)
	}
	input, ok := v.(map[string]any)
	if !ok {
		return nil, t.invalid([]Violation{{"/input", "must be a JSON object with the parameters by name"}})
	}
	if field, bad := hugeNumber("/input", input); bad {
		return nil, t.invalid([]Violation{{field, "is a number that is too long or too large"}})
	}
	schema, err := t.compile()
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", t.Name, err)
	}
	var ve *jsonschema.ValidationError
	if err := schema.Validate(input); errors.As(err, &ve) {
		return nil, t.invalid(t.violations(ve))
	} else if err != nil {
		return nil, fmt.Errorf("validate input of %s: %w", t.Name, err)
	}
	for name, p := range t.spec.Input.Properties {
		if _, given := input[name]; !given && p.Default != nil {
			input[name] = p.Default
		}
	}
	return input, nil
}

func (t *Tool) invalid(list []Violation) error {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = strings.TrimPrefix(strings.TrimPrefix(v.Field, "/input"), "/") + " " + v.Message
	}
	return fault.Invalid(list[0].Field, "the input of %s is not valid: %s", t.Name, strings.TrimSpace(strings.Join(texts, "; "))).
		With("errors", list)
}

// violations lists the leaves of a validation error in a stable order.
func (t *Tool) violations(ve *jsonschema.ValidationError) []Violation {
	var list []Violation
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			list = append(list, t.explain(e)...)
		}
		for _, c := range e.Causes {
			walk(c)
		}
	}
	walk(ve)
	slices.SortStableFunc(list, func(a, b Violation) int { return strings.Compare(a.Field, b.Field) })
	return list
}

func (t *Tool) explain(e *jsonschema.ValidationError) []Violation {
	at := "/input"
	for _, tok := range e.InstanceLocation {
		at += "/" + pointerToken(tok)
	}
	var list []Violation
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			list = append(list, Violation{at + "/" + pointerToken(name), "is required but missing"})
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			list = append(list, Violation{at + "/" + pointerToken(clip(name, 60)), "is not a parameter" + t.known(e.InstanceLocation)})
		}
	default:
		list = append(list, Violation{at, explainValue(e.ErrorKind)})
	}
	return list
}

// known names the parameters, so that a model that misspelt one can correct itself.
func (t *Tool) known(at []string) string {
	names := slices.Sorted(maps.Keys(t.spec.Input.Properties))
	if len(at) > 0 {
		return " here"
	}
	if len(names) == 0 {
		return "; this tool takes none"
	}
	return "; the parameters are " + strings.Join(names, ", ")
}

func explainValue(e jsonschema.ErrorKind) string {
	switch k := e.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be of type %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			want[i] = fmt.Sprintf("%q", w)
		}
		return "must be one of " + strings.Join(want, ", ")
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, not %d", k.Want, k.Got)
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString()
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString()
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items, not %d", k.Want, k.Got)
	case *kind.Pattern:
		return "must match the pattern " + k.Want
	}
	return "does not match the schema at " + strings.Join(e.KeywordPath(), "/")
}

func pointerToken(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

// hugeNumber finds a number that would take long to compute with: the validator uses exact arithmetic, where 1e999999999
// is a gigabyte.
func hugeNumber(at string, v any) (string, bool) {
	switch node := v.(type) {
	case json.Number:
		_, exp, _ := strings.Cut(strings.ToLower(node.String()), "e")
		return at, len(node) > 40 || len(strings.TrimLeft(exp, "+-0")) > 2
	case map[string]any:
		for k, child := range node {
			if field, bad := hugeNumber(at+"/"+pointerToken(k), child); bad {
				return field, true
			}
		}
	case []any:
		for i, child := range node {
			if field, bad := hugeNumber(fmt.Sprintf("%s/%d", at, i), child); bad {
				return field, true
			}
		}
	}
	return "", false
}
