package catalog

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// inputSchema writes the tool's JSON Schema. Members are in fixed order, so the text can be compared and cached.
func inputSchema(in inputSpec) (json.RawMessage, error) {
	props := map[string]property{}
	for name, p := range in.Properties {
		props[name] = closed(p)
	}
	return encodeJSON(struct {
		Type       string              `json:"type"`
		Properties map[string]property `json:"properties"`
		Required   []string            `json:"required,omitempty"`
		Additional bool                `json:"additionalProperties"`
	}{"object", props, in.Required, false})
}

// closed sets additionalProperties on every object below p.
func closed(p property) property {
	if p.Type == "object" {
		free := p.FreeForm
		p.Additional = &free
	}
	if p.Items != nil {
		items := closed(*p.Items)
		p.Items = &items
	}
	p.Properties = maps.Clone(p.Properties)
	for name, child := range p.Properties {
		p.Properties[name] = closed(child)
	}
	return p
}

// compile builds the validator at the first call of the tool: a cold start pays for the tools that it uses.
func (t *Tool) compile() (*jsonschema.Schema, error) {
	t.compileOnce.Do(func() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(t.InputSchema))
		if err != nil {
			t.compileErr = err
			return
		}
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft2020)
		c.AssertFormat()
		c.UseLoader(jsonschema.SchemeURLLoader{}) // nothing outside the document is ever read
		id := "tool:" + t.Name
		if t.compileErr = c.AddResource(id, doc); t.compileErr == nil {
			t.schema, t.compileErr = c.Compile(id)
		}
	})
	return t.schema, t.compileErr
}
