package catalog

import (
	"net/http"
	"net/url"
	"slices"
)

// RefreshKind is what a connection of mode oauth2 is renewed from.
type RefreshKind string

// The kinds: the refresh token (RFC 6749, section 6); the access token, traded for a younger one before it ends (Facebook,
// Instagram); the client's own credentials with what the consent captured (Vercel's installations). No refresh at all is
// rotation.class none; a JWT that is signed anew is a mode of its own.
const (
	RefreshWithToken       RefreshKind = "refresh_token"
	RefreshWithAccessToken RefreshKind = "reexchange_access_token"
	RefreshAsClient        RefreshKind = "client_credentials"
)

// RefreshKind is what connections are renewed from.
func (c *Connector) RefreshKind() RefreshKind { return c.m.Refresh.Kind }

// TokenShape is how one request to a token endpoint differs from RFC 6749.
type TokenShape struct {
	// Method is POST or, where the provider wants it, GET with everything in the query.
	Method string
	// Header are the headers beside content type and client authentication. Accept is always there: GitHub answers
	// form-encoded without it.
	Header http.Header

	format string
	params map[string]string
	rename map[string]string
	omit   []string
}

// TokenCallOf is what a token request is made for.
type TokenCallOf struct {
	// Renews tells a refresh from an exchange or mint.
	Renews bool
	// Metadata is what is known about the connection.
	Metadata map[string]string
	ClientID string
	// RequestID is new for each request.
	RequestID string
}

// TokenShape is how to dress a request. It returns fault.ProviderError when the connection lacks a value that a header or
// parameter is made of.
func (c *Connector) TokenShape(of TokenCallOf) (TokenShape, error) {
	t, r := c.m.Token, c.m.Refresh
	refs := requestRefs{meta: of.Metadata, clientID: of.ClientID, requestID: of.RequestID}
	s := TokenShape{Method: t.Method, format: t.Format, rename: t.ParamRenames, omit: t.Omit}
	extra, err := c.expandAll(t.Headers, refs)
	if err != nil {
		return s, err
	}
	s.Header = headers(map[string]string{"Accept": "application/json"}, extra)
	if s.params, err = c.expandAll(t.Params, refs); err != nil || !of.Renews {
		return s, err
	}
	s.Method, s.format, s.omit = r.Method, r.Format, slices.Concat(t.Omit, r.Omit)
	own, err := c.expandAll(r.Params, refs)
	for name, v := range own {
		s.params[name] = v
	}
	if v := of.Metadata[RedirectURIKept]; v != "" && slices.Contains(r.Include, "redirect_uri") {
		s.params["redirect_uri"] = v
	}
	return s, err
}

// Fields are the fields of a request, under the provider's names.
func (s TokenShape) Fields(form url.Values) url.Values {
	out := url.Values{}
	for name, v := range form {
		if slices.Contains(s.omit, name) {
			continue
		}
		if other, ok := s.rename[name]; ok {
			name = other
		}
		out[name] = v
	}
	for name, v := range s.params {
		if other, ok := s.rename[name]; ok {
			name = other
		}
		out.Set(name, v)
	}
	return out
}

// Body writes fields: for a query, into u; otherwise as a body.
func (s TokenShape) Body(fields url.Values, u *url.URL) (body []byte, contentType string, err error) {
	switch s.format {
	case formatQuery:
		q := u.Query()
		for name, v := range fields {
			q[name] = v
		}
		u.RawQuery = q.Encode()
		return nil, "", nil
	case formatJSON:
		doc := map[string]string{}
		for name := range fields {
			doc[name] = fields.Get(name)
		}
		body, err = encodeJSON(doc)
		return body, "application/json", err
	}
	return []byte(fields.Encode()), "application/x-www-form-urlencoded", nil
}

// RedirectURIKept is the metadata that holds the redirect URI of the consent, where a refresh must repeat it.
const RedirectURIKept = "redirect_uri"

// Keep adds to the metadata of a connection what a refresh must repeat of the consent.
func (c *Connector) Keep(meta map[string]string, redirectURI string) map[string]string {
	if !slices.Contains(c.m.Refresh.Include, "redirect_uri") {
		return meta
	}
	if meta == nil {
		meta = map[string]string{}
	}
	meta[RedirectURIKept] = redirectURI
	return meta
}

// Reexchange is the form that trades an access token for a younger one, without the client's proof.
func (c *Connector) Reexchange(access string) url.Values {
	form := url.Values{c.m.Refresh.TokenParam: {access}}
	if g := c.m.Refresh.GrantType; g != "" {
		form.Set("grant_type", g)
	}
	return form
}
