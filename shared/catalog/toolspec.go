package catalog

import (
	"regexp"
	"strings"
)

// toolSpec is one entry of tools.yaml. connectors/schema/tools.schema.json says the same for editors.
type toolSpec struct {
	Name              string `yaml:"name"`
	Title             string `yaml:"title"`
	Description       string `yaml:"description"`
	Effect            Effect `yaml:"effect"`
	Idempotent        bool   `yaml:"idempotent"`
	IdempotencyHeader string `yaml:"idempotency_header"`
	// Token names the token set that the call goes out with; empty is the main token.
	Token      string       `yaml:"token"`
	Scopes     ToolScopes   `yaml:"scopes"`
	Input      inputSpec    `yaml:"input"`
	Request    requestSpec  `yaml:"request"`
	Response   responseSpec `yaml:"response"`
	Pagination *pageSpec    `yaml:"pagination"`
}

// ToolScopes is what a call needs: all of AllOf, and one of AnyOf when it is not empty.
type ToolScopes struct {
	AllOf []string `yaml:"all_of"`
	AnyOf []string `yaml:"any_of"`
}

// inputSpec is the top level of a tool's schema; "type: object" and "additionalProperties: false" are added.
type inputSpec struct {
	Properties map[string]property `yaml:"properties"`
	Required   []string            `yaml:"required"`
}

// property is the part of JSON Schema that every framework accepts. What is not here ($ref, oneOf, type lists) cannot be
// written, because decoding is strict.
type property struct {
	Type        string              `yaml:"type" json:"type"`
	Description string              `yaml:"description" json:"description,omitempty"`
	Enum        []string            `yaml:"enum" json:"enum,omitempty"`
	Default     any                 `yaml:"default" json:"default,omitempty"`
	Pattern     string              `yaml:"pattern" json:"pattern,omitempty"`
	MinLength   *int                `yaml:"minLength" json:"minLength,omitempty"`
	MaxLength   *int                `yaml:"maxLength" json:"maxLength,omitempty"`
	Minimum     *float64            `yaml:"minimum" json:"minimum,omitempty"`
	Maximum     *float64            `yaml:"maximum" json:"maximum,omitempty"`
	Items       *property           `yaml:"items" json:"items,omitempty"`
	MinItems    *int                `yaml:"minItems" json:"minItems,omitempty"`
	MaxItems    *int                `yaml:"maxItems" json:"maxItems,omitempty"`
	Properties  map[string]property `yaml:"properties" json:"properties,omitempty"`
	Required    []string            `yaml:"required" json:"required,omitempty"`
	// FreeForm lets an object hold any member: records whose fields the customer defines.
	FreeForm bool `yaml:"free_form" json:"-"`
	// Additional is never read from YAML; it becomes false for closed objects and true for free ones.
	Additional *bool `yaml:"-" json:"additionalProperties,omitempty"`
}

type requestSpec struct {
	Method  string            `yaml:"method"`
	URL     string            `yaml:"url"`
	Query   map[string]any    `yaml:"query"`
	Headers map[string]string `yaml:"headers"`
	Body    *bodySpec         `yaml:"body"`
}

// bodySpec maps inputs ("{title}") and constants to body members, in JSON at any depth; or makes one input the whole body;
// or states a GraphQL operation, whose text is fixed and whose variables are mapped.
type bodySpec struct {
	Format    string         `yaml:"format"`
	Fields    map[string]any `yaml:"fields"`
	Whole     string         `yaml:"whole"`
	Query     string         `yaml:"query"`
	Variables map[string]any `yaml:"variables"`
}

// responseSpec says which part of a successful answer the caller gets.
type responseSpec struct {
	Select string   `yaml:"select"`
	Keep   []string `yaml:"keep"`
}

const (
	formatJSON     = "json"
	formatForm     = "form"
	formatGraphQL  = "graphql"
	formatQuery    = "query"
	dialectRFC6749 = "rfc6749"
	dialectCustom  = "custom"
	dialectJSON    = "json"
	dialectStatus  = "status"
)

// reference is {input}, or {connection.name} for metadata of the connection.
var reference = regexp.MustCompile(`^\{((?:connection\.)?[A-Za-z_][A-Za-z0-9_]*)\}$`)

// ofConnection begins a reference to metadata.
const ofConnection = "connection."

// given are the values that a request is made of.
type given struct {
	input map[string]any
	meta  map[string]string
}

func (g given) get(name string) (any, bool) {
	if m, ok := strings.CutPrefix(name, ofConnection); ok {
		v, ok := g.meta[m]
		return v, ok && v != ""
	}
	v, ok := g.input[name]
	return v, ok
}

// refersTo gives the input that a mapping value names; constants name none.
func refersTo(v any) (string, bool) {
	s, ok := v.(string)
	if !ok {
		return "", false
	}
	m := reference.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	return m[1], true
}
