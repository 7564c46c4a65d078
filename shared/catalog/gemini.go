package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// geminiSchema is the input schema without pattern, default and lengths, which Gemini's schema subset does not have
// (ai.google.dev, structured output: JSON Schema support). It is nil for a tool without parameters: an object without
// properties is refused there.
func (t *Tool) geminiSchema() json.RawMessage {
	if len(t.spec.Input.Properties) == 0 {
		return nil
	}
	in := inputSpec{Properties: map[string]property{}, Required: t.spec.Input.Required}
	for name, p := range t.spec.Input.Properties {
		in.Properties[name] = forGemini(p)
	}
	out, err := inputSchema(in)
	if err != nil { // the same properties made InputSchema
		return t.InputSchema
	}
	return out
}

// forGemini moves what the subset lacks into the description, where a model reads it.
func forGemini(p property) property {
	var notes []string
	if p.Default != nil {
		notes = append(notes, fmt.Sprintf("Default: %v.", p.Default))
	}
	if p.Pattern != "" {
		notes = append(notes, "Must match "+p.Pattern+".")
	}
	if p.MinLength != nil && *p.MinLength > 1 {
		notes = append(notes, fmt.Sprintf("At least %d characters.", *p.MinLength))
	}
	if p.MaxLength != nil {
		notes = append(notes, fmt.Sprintf("At most %d characters.", *p.MaxLength))
	}
	p.Default, p.Pattern, p.MinLength, p.MaxLength = nil, "", nil, nil
	p.Description = strings.TrimSpace(strings.Join(slices.Concat([]string{p.Description}, notes), " "))
	if p.Items != nil {
		items := forGemini(*p.Items)
		p.Items = &items
	}
	p.Properties = maps.Clone(p.Properties)
	for name, child := range p.Properties {
		p.Properties[name] = forGemini(child)
	}
	return p
}
