package catalog

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Tool is one operation of a connector. It does not change after it is loaded and is safe for concurrent use.
type Tool struct {
	// Name starts with the connector's id and an underscore, has at most 64 characters and is never renamed.
	Name, Title, Description string
	Effect                   Effect
	// Idempotent tells that doing it twice is like doing it once; true for every read.
	Idempotent bool
	// IdempotencyHeader is the request header in which the provider takes an idempotency key; empty when it takes none.
	IdempotencyHeader string
	// InputSchema is a closed JSON Schema (2020-12) object without $ref, combinators and type unions.
	InputSchema json.RawMessage
	Scopes      ToolScopes
	// TokenSet names the access token that a call goes out with; empty is the main one.
	TokenSet string

	connector *Connector
	spec      toolSpec
	url       template
	mask      mask

	compileOnce sync.Once
	schema      *jsonschema.Schema
	compileErr  error
}

// Effect is what a tool or scope can do to the provider's data.
type Effect string

// The effects. Destructive is a write that cannot be undone.
const (
	EffectRead        Effect = "read"
	EffectWrite       Effect = "write"
	EffectDestructive Effect = "destructive"
)

// Connector is the connector that the tool belongs to.
func (t *Tool) Connector() *Connector { return t.connector }

// MissingScopes is what granted lacks for this tool, sorted; empty when the call may go out. Of an unmet any-of list it
// names the first, which the manifest orders from least to most privilege.
func (t *Tool) MissingScopes(granted []string) []string {
	have := t.connector.Scopes.covers(granted)
	var missing []string
	for _, s := range t.Scopes.AllOf {
		if !have[s] {
			missing = append(missing, s)
		}
	}
	anyOf := t.Scopes.AnyOf
	if len(anyOf) > 0 && !slices.ContainsFunc(anyOf, func(s string) bool { return have[s] }) {
		missing = append(missing, anyOf[0])
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// The tool formats of Definition.
const (
	FormatMCP       = "mcp"
	FormatOpenAI    = "openai"
	FormatAnthropic = "anthropic"
	FormatGemini    = "gemini"
)

// Formats lists what Definition knows.
func Formats() []string { return []string{FormatMCP, FormatOpenAI, FormatAnthropic, FormatGemini} }

// Definition is the tool as a framework wants it, ready for JSON; nil for an unknown format.
//
// mcp: Tool of the Model Context Protocol. openai: a function tool of Chat Completions. anthropic: a tool of the Messages
// API. gemini: a FunctionDeclaration with parametersJsonSchema in the keywords that Google documents for it; what they
// cannot say is said in descriptions, and checked at the call anyway.
func (t *Tool) Definition(format string) any { return t.DefinitionWith(format, nil) }

// DefinitionWith is Definition with metadata, where the format has a place for it: FormatMCP has.
func (t *Tool) DefinitionWith(format string, meta map[string]any) any {
	switch format {
	case FormatMCP:
		return mcpTool{t.Name, t.Title, t.Description, t.InputSchema, mcpAnnotations{
			Title: t.Title, ReadOnlyHint: t.Effect == EffectRead, DestructiveHint: t.Effect == EffectDestructive,
			IdempotentHint: t.Idempotent, OpenWorldHint: true}, meta}
	case FormatOpenAI:
		return openAITool{"function", openAIFunction{t.Name, t.Description, t.InputSchema}}
	case FormatAnthropic:
		return anthropicTool{t.Name, t.Description, t.InputSchema}
	case FormatGemini:
		return geminiTool{t.Name, t.Description, t.geminiSchema()}
	}
	return nil
}

type mcpTool struct {
	Name        string          `json:"name"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema"`
	Annotations mcpAnnotations  `json:"annotations"`
	Meta        map[string]any  `json:"_meta,omitempty"`
}

type mcpAnnotations struct {
	Title           string `json:"title"`
	ReadOnlyHint    bool   `json:"readOnlyHint"`
	DestructiveHint bool   `json:"destructiveHint"`
	IdempotentHint  bool   `json:"idempotentHint"`
	OpenWorldHint   bool   `json:"openWorldHint"`
}

type openAITool struct {
	Type     string         `json:"type"`
	Function openAIFunction `json:"function"`
}

type openAIFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

type anthropicTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

type geminiTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parametersJsonSchema,omitempty"`
}
