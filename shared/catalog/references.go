package catalog

import (
	"slices"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// The references that request templates may hold beside {connection.name}.
const (
	refClientID  = "client_id"
	refRequestID = "request_id"
	refTokenURL  = "token_url"
)

// requestRefs are the values of the templates of one request: metadata as {connection.name}, and what is known besides.
type requestRefs struct {
	meta                          map[string]string
	clientID, requestID, tokenURL string
	// drop leaves out what refers to something that is not there, instead of failing.
	drop bool
}

func (r requestRefs) get(name string) (string, bool) {
	switch name {
	case refClientID:
		return r.clientID, r.clientID != ""
	case refRequestID:
		return r.requestID, r.requestID != ""
	case refTokenURL:
		return r.tokenURL, r.tokenURL != ""
	}
	v, ok := r.meta[strings.TrimPrefix(name, ofConnection)]
	return v, ok && strings.HasPrefix(name, ofConnection)
}

// expandAll fills templates in. It returns fault.ProviderError when the connection lacks a value.
func (c *Connector) expandAll(templates map[string]string, r requestRefs) (map[string]string, error) {
	out := make(map[string]string, len(templates))
	for name, tmpl := range templates {
		v, ok, err := c.expandOne(tmpl, r)
		if err != nil {
			return nil, err
		}
		if ok {
			out[name] = v
		}
	}
	return out, nil
}

func (c *Connector) expandOne(tmpl string, r requestRefs) (v string, ok bool, err error) {
	if !strings.Contains(tmpl, "{") {
		return tmpl, tmpl != "" || !r.drop, nil
	}
	t, err := parseText(tmpl) // checked at load
	if err != nil {
		return "", false, fault.New(fault.Internal, "connector %s has a template that cannot be read", c.ID).WithCause(err)
	}
	v, missing := t.expand(r.get)
	if missing != "" && !r.drop {
		return "", false, fault.New(fault.ProviderError, "%s: the connection holds no %s; connect the account again", c.ID, strings.TrimPrefix(missing, ofConnection))
	}
	return v, missing == "", nil
}

// refsAllowed says what a template may name beside fields that are required.
type refsAllowed struct {
	optional bool // fields that may be missing
	callback bool // what callback.capture always takes out of the answer to the browser
	captured bool // whatever is captured until the account is connected
}

// checkRefs checks a template of a request. more are names that it may use beside metadata.
func checkRefs(s *source, m *manifest, field, tmpl string, may refsAllowed, more ...string) {
	t, err := parseText(tmpl)
	if err != nil {
		s.add(field, "%v", err)
		return
	}
	for _, name := range t.names() {
		meta, ofMeta := strings.CutPrefix(name, ofConnection)
		f, isField := m.field(meta)
		switch {
		case !ofMeta && slices.Contains(more, name):
		case !ofMeta:
			s.add(field, "{%s} is not known here; metadata of the connection is {connection.name}", name)
		case isField && f.Secret:
			s.add(field, "{%s} is secret; only what is not can stand here", name)
		case isField && !f.Required && !may.optional:
			s.add(field, "{%s} must be a required field", name)
		case !isField && !m.public()[meta] && !(may.captured && m.captured(meta)) && !(may.callback && m.Callback.Capture[meta].Required):
			s.add(field, "{%s} is neither a field nor captured before this request", name)
		}
	}
}
