package catalog

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var (
	toolName  = regexp.MustCompile(`^[a-z][a-z0-9-]*_[a-z0-9]+(_[a-z0-9]+)*$`)
	inputName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
)

// checkTool reports what is wrong with a tool apart from its request mapping.
func checkTool(s *source, field string, c *Connector, t toolSpec) {
	if !toolName.MatchString(t.Name) || len(t.Name) > 64 || !strings.HasPrefix(t.Name, c.ID+"_") {
		s.add(field+".name", "%q must be %s_ and then a-z, 0-9 and '_', at most 64 characters together", t.Name, c.ID)
	}
	if t.Name == ProxyTool(c.ID) {
		s.add(field+".name", "%q means requests that no tool covers", t.Name)
	}
	if t.Title == "" {
		s.add(field+".title", "is missing")
	}
	if len(t.Description) < 40 || len(t.Description) > 1024 {
		s.add(field+".description", "must tell a model in 40 to 1024 characters when to use the tool and what it returns")
	}
	oneOf(s, field+".effect", string(t.Effect), effects...)
	if (t.Effect == EffectRead) != (t.Request.Method == http.MethodGet) && t.Request.Method != http.MethodPost {
		s.add(field+".effect", "%s does not fit method %s", t.Effect, t.Request.Method)
	}
	for _, list := range [][]string{t.Scopes.AllOf, t.Scopes.AnyOf} {
		unknownScopes(s, field+".scopes", &c.m, list)
	}
	if _, ok := c.m.Tokens[t.Token]; !ok && t.Token != "" {
		s.add(field+".token", "%q is not in tokens of the connector", t.Token)
	}
	if t.IdempotencyHeader != "" {
		checkHeaders(s, field+".idempotency_header", map[string]string{t.IdempotencyHeader: ""})
	}
	checkPath(s, field+".response.select", t.Response.Select, true)
	for _, p := range t.Response.Keep {
		checkPath(s, field+".response.keep", p, false)
	}
	checkObject(s, field+".input", t.Input.Properties, t.Input.Required)
	checkPages(s, field+".pagination", t)
}

func checkObject(s *source, field string, props map[string]property, required []string) {
	for name, p := range props {
		at := field + ".properties." + name
		if !inputName.MatchString(name) {
			s.add(field, "property %q: want letters, digits and '_', at most 64", name)
		}
		checkProperty(s, at, p)
	}
	for _, name := range required {
		if _, ok := props[name]; !ok {
			s.add(field+".required", "%q is not a property", name)
		}
	}
}

func checkProperty(s *source, at string, p property) {
	oneOf(s, at+".type", p.Type, "string", "integer", "number", "boolean", "array", "object")
	if p.Description == "" {
		s.add(at, "has no description")
	}
	if _, err := regexp.Compile(p.Pattern); err != nil {
		s.add(at+".pattern", "%v", err)
	}
	if (p.Type == "array") != (p.Items != nil) {
		s.add(at, "type array and items need each other")
	}
	if p.Items != nil {
		oneOf(s, at+".items.type", p.Items.Type, "string", "integer", "number", "boolean", "object")
		checkObject(s, at+".items", p.Items.Properties, p.Items.Required)
	}
	if p.Type == "object" && p.FreeForm == (len(p.Properties) > 0) {
		s.add(at, "an object needs either properties or free_form: true")
	}
	if p.Type != "object" && (p.FreeForm || len(p.Properties) > 0) {
		s.add(at, "only an object has properties or free_form")
	}
	if p.Type != "string" && (len(p.Enum) > 0 || p.Pattern != "" || p.MinLength != nil || p.MaxLength != nil) {
		s.add(at, "enum, pattern, minLength and maxLength are for type string")
	}
	checkObject(s, at, p.Properties, p.Required)
}

// checkMapping checks that every input goes somewhere and that everything which is mapped is an input.
func checkMapping(s *source, field string, c *Connector, t toolSpec, url template) {
	r := t.Request
	checkTemplate(s, field+".request.url", template{host: url.host}, c.m.Hosts, nil)
	oneOf(s, field+".request.method", r.Method, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete)
	checkHeaders(s, field+".request.headers", r.Headers)
	used := slices.Clone(url.vars)
	for _, name := range url.vars {
		if strings.HasPrefix(name, ofConnection) {
			continue
		}
		p := t.Input.Properties[name]
		if !slices.Contains(t.Input.Required, name) || (p.Type != "string" && p.Type != "integer") {
			s.add(field+".request.url", "{%s} must be a required string or integer of input", name)
		}
	}
	used = append(used, references(s, field+".request.query", r.Query, false)...)
	if b := r.Body; b != nil {
		used = append(used, checkBody(s, field+".request.body", t, b)...)
	}
	for _, name := range used {
		if m, ok := strings.CutPrefix(name, ofConnection); ok {
			if !c.m.knownMeta(m) {
				s.add(field+".request", "{%s} is neither a field that is not secret nor captured", name)
			}
		} else if _, ok := t.Input.Properties[name]; !ok {
			s.add(field+".request", "{%s} is not a property of input", name)
		}
	}
	for name := range t.Input.Properties {
		if !slices.Contains(used, name) {
			s.add(field+".input.properties."+name, "is not used by request")
		}
	}
}

func checkBody(s *source, field string, t toolSpec, b *bodySpec) []string {
	oneOf(s, field+".format", b.Format, formatJSON, formatForm, formatGraphQL)
	if (b.Format == formatGraphQL) != (b.Query != "") || b.Variables != nil && b.Query == "" {
		s.add(field+".query", "format graphql and query need each other; variables are for it")
	}
	if t.Request.Method == http.MethodGet {
		s.add(field, "a GET has no body")
	}
	if b.Format == formatGraphQL {
		if b.Whole != "" || b.Fields != nil {
			s.add(field, "graphql has query and variables only")
		}
		return references(s, field+".variables", b.Variables, true)
	}
	if (b.Whole == "") == (b.Fields == nil) {
		s.add(field, "state either fields or whole")
	}
	if b.Whole == "" {
		return references(s, field+".fields", b.Fields, b.Format == formatJSON)
	}
	name, ok := refersTo(b.Whole)
	if !ok || b.Format != formatJSON || t.Input.Properties[name].Type != "object" || !slices.Contains(t.Input.Required, name) {
		s.add(field+".whole", "want {name} of a required object of input, in format json")
	}
	return []string{name}
}

// references lists the inputs that a mapping names and refuses text that only looks like a reference. deep mappings hold
// objects and lists.
func references(s *source, field string, mapping map[string]any, deep bool) []string {
	var names []string
	for key, v := range mapping {
		switch node := v.(type) {
		case map[string]any:
			if deep {
				names = append(names, references(s, field+"."+key, node, true)...)
				continue
			}
		case []any:
			if deep {
				for i, item := range node {
					names = append(names, references(s, fmt.Sprintf("%s.%s[%d]", field, key, i), map[string]any{"item": item}, true)...)
				}
				continue
			}
		}
		name, ok := refersTo(v)
		if ok {
			names = append(names, name)
			continue
		}
		if strings.ContainsAny(fmt.Sprint(v), "{}") {
			s.add(field+"."+key, "%v: a value is a constant or exactly one {input}", v)
		}
		if _, ok := scalar(v); !ok {
			s.add(field+"."+key, "a constant is text, a number or true/false")
		}
	}
	return names
}
