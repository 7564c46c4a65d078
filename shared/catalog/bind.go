package catalog

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// Request is a call to a provider without its credential.
type Request struct {
	Method      string
	URL         *url.URL
	Header      http.Header
	Body        []byte
	ContentType string
	// Auth says how the caller must add the access token.
	Auth AuthHeader
}

// HTTP is r as a request of net/http; it can be sent once more (GetBody). The credential is still missing.
func (r Request) HTTP(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("build provider request: %w", err)
	}
	req.Header = r.Header.Clone()
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	return req, nil
}

// Bind builds the provider request from a validated input and the connection's metadata. Whatever the input holds, the
// request goes to the tool's host and path: values are escaped into one path segment, a query value or a body member.
// It returns fault.InvalidInput for a value that cannot stand in a path, fault.ProviderError for a bad captured host.
func (t *Tool) Bind(input map[string]any, meta map[string]string) (Request, error) {
	base, err := t.connector.hosts[t.url.host].resolve(meta)
	if err != nil {
		return Request{}, err
	}
	g := given{input, meta}
	u, err := t.url.expand(base, func(name string) (string, bool) {
		v, ok := g.get(name)
		if !ok {
			return "", false
		}
		return scalar(v)
	})
	if err != nil {
		return Request{}, err
	}
	query, err := formValues(t.connector.m.API.Query, g)
	if err != nil {
		return Request{}, err
	}
	own, err := formValues(t.spec.Request.Query, g)
	if err != nil {
		return Request{}, err
	}
	maps.Copy(query, own)
	u.RawQuery = query.Encode()
	h, err := t.connector.APIHeader(meta)
	if err != nil {
		return Request{}, err
	}
	for name, v := range t.spec.Request.Headers {
		h.Set(name, v)
	}
	r := Request{Method: t.spec.Request.Method, URL: u, Auth: t.connector.APIAuth, Header: h}
	r.Body, r.ContentType, err = t.bindBody(g)
	return r, err
}

func (t *Tool) bindBody(g given) (body []byte, contentType string, err error) {
	b := t.spec.Request.Body
	if b == nil {
		return nil, "", nil
	}
	if b.Format == formatForm {
		form, err := formValues(b.Fields, g)
		return []byte(form.Encode()), "application/x-www-form-urlencoded", err
	}
	doc := any(nil)
	switch name, whole := refersTo(b.Whole); {
	case whole:
		doc, _ = g.get(name)
	case b.Format == formatGraphQL:
		doc = map[string]any{"query": b.Query, "variables": fill(b.Variables, g)}
	default:
		doc = fill(b.Fields, g)
	}
	body, err = encodeJSON(doc)
	if err != nil {
		return nil, "", fault.Invalid("/input", "the input cannot be written as JSON").WithCause(err)
	}
	return body, "application/json", nil
}

// fill maps the members of an object. What refers to an input that was not given is left out.
func fill(members map[string]any, g given) map[string]any {
	out := map[string]any{}
	for field, v := range members {
		if v, ok := mapped(v, g); ok {
			out[field] = v
		}
	}
	return out
}

// mapped is a constant, or what v refers to, objects and lists member by member; false when that was not given, or when
// nothing of an object was.
func mapped(v any, g given) (any, bool) {
	switch node := v.(type) {
	case map[string]any:
		out := fill(node, g)
		return out, len(out) > 0 || len(node) == 0
	case []any:
		out := make([]any, 0, len(node))
		for _, item := range node {
			if item, ok := mapped(item, g); ok {
				out = append(out, item)
			}
		}
		return out, len(out) > 0 || len(node) == 0
	}
	name, ok := refersTo(v)
	if !ok {
		return v, true
	}
	return g.get(name)
}

// formValues maps constants and inputs to query or form values. A list becomes one value with commas.
func formValues(spec map[string]any, g given) (url.Values, error) {
	values := url.Values{}
	for field, v := range spec {
		value, ok := mapped(v, g)
		if !ok {
			continue
		}
		text, ok := flat(value)
		if !ok {
			name, _ := refersTo(v)
			return nil, fault.Invalid("/input/"+name, "%s must be text, a number, true/false or a list of these", name)
		}
		values.Set(field, text)
	}
	return values, nil
}

func flat(v any) (string, bool) {
	list, ok := v.([]any)
	if !ok {
		return scalar(v)
	}
	texts := make([]string, len(list))
	for i, item := range list {
		if texts[i], ok = scalar(item); !ok {
			return "", false
		}
	}
	return strings.Join(texts, ","), true
}
