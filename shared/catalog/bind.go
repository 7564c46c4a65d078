package catalog

import (
	"bytes"
	"context"
	"fmt"
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
	u, err := t.url.expand(base, func(name string) (string, bool) {
		v, ok := input[name]
		if !ok {
			return "", false
		}
		return scalar(v)
	})
	if err != nil {
		return Request{}, err
	}
	query, err := formValues(t.spec.Request.Query, input)
	if err != nil {
		return Request{}, err
	}
	u.RawQuery = query.Encode()
	r := Request{Method: t.spec.Request.Method, URL: u, Auth: t.connector.APIAuth,
		Header: headers(map[string]string{"Accept": "application/json"}, t.connector.m.API.Headers, t.spec.Request.Headers)}
	r.Body, r.ContentType, err = t.bindBody(input)
	return r, err
}

func (t *Tool) bindBody(input map[string]any) (body []byte, contentType string, err error) {
	b := t.spec.Request.Body
	if b == nil {
		return nil, "", nil
	}
	if b.Format == formatForm {
		form, err := formValues(b.Fields, input)
		return []byte(form.Encode()), "application/x-www-form-urlencoded", err
	}
	doc := any(nil)
	if name, ok := refersTo(b.Whole); ok {
		doc = input[name]
	} else {
		members := map[string]any{}
		for field, v := range b.Fields {
			if v, ok := mapped(v, input); ok {
				members[field] = v
			}
		}
		doc = members
	}
	body, err = encodeJSON(doc)
	if err != nil {
		return nil, "", fault.Invalid("/input", "the input cannot be written as JSON").WithCause(err)
	}
	return body, "application/json", nil
}

// mapped is a constant, or the input that v refers to; false when that input was not given.
func mapped(v any, input map[string]any) (any, bool) {
	name, ok := refersTo(v)
	if !ok {
		return v, true
	}
	value, given := input[name]
	return value, given
}

// formValues maps constants and inputs to query or form values. A list becomes one value with commas.
func formValues(spec, input map[string]any) (url.Values, error) {
	values := url.Values{}
	for field, v := range spec {
		value, ok := mapped(v, input)
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
