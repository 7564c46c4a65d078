package catalog

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// AuthorizeRequest is what the connect page knows when it sends a browser to the provider.
type AuthorizeRequest struct {
	ClientID, RedirectURI, State string
	// CodeChallenge is the S256 challenge. It must be empty when PKCE is never, and present otherwise.
	CodeChallenge string
	// Nonce is for OpenID Connect; left out when empty.
	Nonce  string
	Scopes []string
}

// AuthorizeURL is the address of the provider's consent page (RFC 6749, section 4.1.1), with the manifest's parameters. It
// returns fault.ProviderError when a value that a parameter is made of is missing.
func (c *Connector) AuthorizeURL(meta map[string]string, r AuthorizeRequest) (string, error) {
	if err := c.checkChallenge(r.CodeChallenge); err != nil {
		return "", err
	}
	u, err := c.url("authorize", meta, meta)
	if err != nil {
		return "", err
	}
	if c.Mode != ModeOAuth2 {
		return "", fault.New(fault.Internal, "connector %s has no consent page", c.ID)
	}
	q, err := c.authorizeQuery(meta, r)
	if err != nil {
		return "", err
	}
	query := c.encodeQuery(q, r.Scopes)
	if route := c.m.Authorize.FragmentRoute; route != "" { // a page that reads its address behind the "#"
		if u.Path == "" {
			u.Path = "/"
		}
		return u.String() + "#" + route + "?" + query, nil
	}
	u.RawQuery = query
	return u.String(), nil
}

// authorizeQuery is everything but the scopes.
func (c *Connector) authorizeQuery(meta map[string]string, r AuthorizeRequest) (url.Values, error) {
	spec := c.m.Authorize
	q := url.Values{}
	put := func(name, v string) {
		if other, ok := spec.ParamRenames[name]; ok {
			name = other
		}
		if name != "" && v != "" {
			q.Set(name, v)
		}
	}
	for name, v := range map[string]string{"response_type": "code", "client_id": r.ClientID, "redirect_uri": r.RedirectURI, "state": r.State, "nonce": r.Nonce} {
		put(name, v)
	}
	if r.CodeChallenge != "" {
		put("code_challenge", r.CodeChallenge)
		put("code_challenge_method", "S256")
	}
	params, err := c.expandAll(spec.Params, requestRefs{meta: meta, clientID: r.ClientID, drop: spec.DropEmptyParams})
	for name, v := range params {
		q.Set(name, v)
	}
	return q, err
}

// encodeQuery adds the scopes, percent-encoded like the rest or, where the provider reads them as they are, without.
func (c *Connector) encodeQuery(q url.Values, scopes []string) string {
	if c.m.Scopes.Mode == scopesFixed {
		return q.Encode()
	}
	lists := c.scopeParams(scopes)
	if !c.m.Authorize.UnencodedScope {
		for name, text := range lists {
			q.Set(name, text)
		}
		return q.Encode()
	}
	out := []string{q.Encode()}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		out = append(out, url.QueryEscape(name)+"="+bareScopes(lists[name]))
	}
	return strings.Join(out, "&")
}

// bareScopes writes scopes with as little encoding as a query allows (RFC 3986, section 3.4). What could begin another
// parameter is encoded all the same: scopes come back from providers, too.
func bareScopes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if ch := s[i]; 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || '0' <= ch && ch <= '9' || strings.IndexByte("-._~:/,;@*!$'()+", ch) >= 0 {
			b.WriteByte(ch)
		} else {
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}

// checkChallenge refuses an authorize request whose PKCE differs from what the manifest states.
func (c *Connector) checkChallenge(challenge string) error {
	if (challenge != "") == (c.PKCE == PKCENever) {
		return fault.New(fault.Internal, "the connect request is wrong").
			WithCause(errors.New(c.ID + ": pkce is " + string(c.PKCE) + ", which the code challenge contradicts"))
	}
	return nil
}

var (
	paramName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$`)
	fragmentRoute = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)
)

// checkAuthorize checks the request for consent.
func checkAuthorize(s *source, m *manifest) {
	a := m.Authorize
	reserved := []string{"response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "nonce"}
	taken := []string{"state"}
	for _, list := range append([]scopeListSpec{{Param: m.Scopes.Param}}, m.Scopes.Lists...) {
		taken = append(taken, list.Param)
	}
	checkRenames(s, "authorize.param_renames", a.ParamRenames, reserved, taken)
	if _, ok := a.ParamRenames["state"]; ok {
		s.add("authorize.param_renames.state", "the provider's answer is matched by state, which keeps its name")
	}
	for from, to := range a.ParamRenames {
		if to == "" && from != "response_type" {
			s.add("authorize.param_renames."+from, "only response_type may be left out")
		}
	}
	for name, tmpl := range a.Params {
		if slices.Contains(reserved, name) || slices.Contains(taken, name) || slices.Contains(slices.Collect(maps.Values(a.ParamRenames)), name) {
			s.add("authorize.params."+name, "is set by the connect flow and cannot be a constant")
		}
		checkRefs(s, m, "authorize.params."+name, tmpl, refsAllowed{optional: a.DropEmptyParams}, refClientID)
	}
	if i := a.Issuer; i != "" && !strings.HasPrefix(i, "https://") {
		s.add("authorize.issuer", "is the provider's issuer identifier, an https URL")
	}
	if m.Auth.Mode == ModeOAuth2 && (!paramName.MatchString(a.CodeParam) || slices.Contains([]string{"state", "iss", "error", "error_description"}, a.CodeParam)) {
		s.add("authorize.code_param", "%q: want the name of the parameter that holds the code", a.CodeParam)
	}
	if a.FragmentRoute != "" && !fragmentRoute.MatchString(a.FragmentRoute) {
		s.add("authorize.fragment_route", "%q: want a path such as /oauth/authorize", a.FragmentRoute)
	}
	if a.UnencodedScope && m.Scopes.Mode == scopesFixed {
		s.add("authorize.unencoded_scope", "scopes.mode fixed sends no scopes")
	}
}

// checkRenames holds other names for parameters to what cannot be confused: each known, none twice, none that something else has.
func checkRenames(s *source, field string, renames map[string]string, known, taken []string) {
	seen := map[string]bool{}
	for _, from := range slices.Sorted(maps.Keys(renames)) {
		at, to := field+"."+from, renames[from]
		if !slices.Contains(known, from) {
			s.add(at, "is not a parameter of this request; known are %s", strings.Join(known, ", "))
		}
		if to == "" {
			continue
		}
		_, moved := renames[to]
		switch {
		case !paramName.MatchString(to):
			s.add(at, "%q: want the name of a parameter", to)
		case seen[to] || slices.Contains(taken, to) || to != from && slices.Contains(known, to) && !moved:
			s.add(at, "%q is the name of another parameter", to)
		}
		seen[to] = true
	}
}
