package catalog

import (
	"regexp"
	"slices"

	"behalf.dev/behalf/shared/fault"
)

// Identity is the account behind a connection, as the provider names it.
type Identity struct {
	AccountID, Login, Name, Email, TenantID, TenantName string
}

// IdentityRequest is the call that tells whose account was connected; false when the token response tells it. The error
// is that of a captured host that is missing or not allowed.
func (c *Connector) IdentityRequest(meta map[string]string) (Request, bool, error) {
	if c.m.Identity == nil || c.m.Identity.Request == nil {
		return Request{}, false, nil
	}
	u, err := c.url("identity", meta, nil)
	if err != nil {
		return Request{}, false, err
	}
	r := Request{Method: c.m.Identity.Request.Method, URL: u, Header: c.earlyHeader(meta), Auth: c.APIAuth}
	if body := c.m.Identity.Request.Body; body != nil {
		r.ContentType = "application/json"
		r.Body, err = encodeJSON(body)
	}
	return r, true, err
}

// HasIdentity reports that an access token alone tells whose it is.
func (c *Connector) HasIdentity() bool { return c.m.Identity != nil && c.m.Identity.Request != nil }

// ParseIdentity reads the answer to IdentityRequest (nil when there was none) and the captured metadata. The answer wins.
// It returns fault.ProviderError when no account id is found: without one a reconnect cannot be told from a swap.
func (c *Connector) ParseIdentity(body []byte, tokenMeta map[string]string) (Identity, error) {
	if c.m.Identity == nil {
		return Identity{}, nil
	}
	doc, err := decodeJSON(body)
	if len(body) > 0 && err != nil {
		return Identity{}, fault.New(fault.ProviderError, "%s answered the identity request with something that is not JSON", c.ID).WithCause(err)
	}
	get := func(field string) string {
		if path, ok := c.m.Identity.Map[field]; ok {
			if s, _ := lookupText(doc, path); s != "" {
				return clip(s, 256)
			}
		}
		return clip(tokenMeta[c.m.Identity.Capture[field]], 256)
	}
	id := Identity{AccountID: get("account_id"), Login: get("login"), Name: get("name"), Email: get("email"),
		TenantID: get("tenant_id"), TenantName: get("tenant_name")}
	if id.AccountID == "" {
		return Identity{}, fault.New(fault.ProviderError, "%s did not say whose account this is", c.ID)
	}
	return id, nil
}

var identityFields = []string{"account_id", "login", "name", "email", "tenant_id", "tenant_name"}

// buildFixed compiles identity.fixed.
func buildFixed(s *source, m manifest) map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	if m.Identity == nil {
		return out
	}
	for name, pattern := range m.Identity.Fixed {
		if !m.renewed(name) {
			s.add("identity.fixed."+name, "%q is not in token.capture or token.extra_steps: no refresh tells it", name)
		}
		if pattern == "" {
			out[name] = nil
			continue
		}
		rx, err := regexp.Compile(pattern)
		if err != nil || rx.NumSubexp() == 0 {
			s.add("identity.fixed."+name, "%q is not a regular expression (RE2) with a group", pattern)
			continue
		}
		out[name] = rx
	}
	return out
}

// SameAccount reports that tokens with the captured values after are of the account that those with before were, as far as
// identity.fixed tells. What either side does not state is not compared.
func (c *Connector) SameAccount(before, after map[string]string) bool {
	for name, rx := range c.fixed {
		if was, is := before[name], after[name]; was != "" && is != "" && !slices.Equal(partsOf(rx, was), partsOf(rx, is)) {
			return false
		}
	}
	return true
}

// partsOf is what the groups of rx find in v; all of v without rx, or when it finds nothing.
func partsOf(rx *regexp.Regexp, v string) []string {
	if rx != nil {
		if m := rx.FindStringSubmatch(v); m != nil {
			return m[1:]
		}
	}
	return []string{v}
}
