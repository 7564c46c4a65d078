package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const maxBody = 1 << 20 // bytes; more is cut off and then fails to parse

// call is one request on its way through the engine.
type call struct {
	p    *provider
	r    *http.Request
	kind Kind

	form   url.Values     // parsed application/x-www-form-urlencoded body
	json   map[string]any // parsed JSON object body
	secret string         // the token or code presented, in clear; never logged

	began  time.Time
	token  *token // the presented token, if known
	grant  *grant // its grant, or the grant of the presented code
	who    *Person
	fault  Fault
	client *client // once authenticated, or named at the authorization page
	busy   bool    // another refresh of this grant is in flight
	flight string  // grant id under which this call is counted in inFlight
	given  string  // client secret in clear, for providers that sign with it
}

// open parses a request. An unreadable body leaves form and json empty, which
// every handler answers as missing parameters.
func (p *provider) open(kind Kind, r *http.Request) *call {
	c := &call{p: p, r: r, kind: kind}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	ct := r.Header.Get("Content-Type")
	switch {
	case strings.HasPrefix(ct, "application/json"):
		_ = json.Unmarshal(body, &c.json)
	case strings.HasPrefix(ct, "application/x-www-form-urlencoded"):
		c.form, _ = url.ParseQuery(string(body))
	}
	if kind == KindToken && c.bodyArg("grant_type") == "refresh_token" {
		c.kind = KindRefresh
	}
	c.secret = c.presented()
	return c
}

// presented finds the credential a request is about. Basic credentials are the
// client's, not a token.
func (c *call) presented() string {
	switch c.kind {
	case KindToken:
		return c.bodyArg("code")
	case KindRefresh:
		return c.bodyArg("refresh_token")
	case KindRevoke, KindIntrospect:
		for _, name := range []string{"token", "access_token"} {
			if v := c.bodyArg(name); v != "" {
				return v
			}
		}
	}
	if c.p.tr.present != nil {
		return c.p.tr.present(c.r)
	}
	scheme, value, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token") {
		return strings.TrimSpace(value)
	}
	return c.bodyArg("token")
}

// identify looks the presented credential up. Call it with the lock held.
func (c *call) identify() {
	c.token, c.grant = nil, nil
	if c.secret == "" {
		return
	}
	hash := hashOf(c.secret)
	if t := c.p.tokens[hash]; t != nil {
		c.token, c.grant = t, c.p.grants[t.GrantID]
		c.who = c.p.person(c.grant.Login)
		return
	}
	if cd := c.p.codes[hash]; cd != nil {
		c.grant, c.who = c.p.grants[cd.grantID], c.p.person(cd.login)
	}
}

// login names the person of the presented token, or nobody.
func (c *call) login() string {
	if c.who == nil {
		return ""
	}
	return c.who.Login
}

// bodyArg reads a parameter of the body only: secrets do not belong in a query.
func (c *call) bodyArg(name string) string {
	if v := c.form.Get(name); v != "" {
		return v
	}
	switch v := c.json[name].(type) {
	case string:
		return v
	case float64, bool:
		return fmt.Sprint(v)
	}
	return ""
}

// arg reads a parameter of the body or the query.
func (c *call) arg(name string) string {
	if v := c.bodyArg(name); v != "" {
		return v
	}
	return c.r.URL.Query().Get(name)
}

// repeated says whether a body parameter came twice (RFC 6749 section 3.2
// forbids it).
func (c *call) repeated() bool {
	for _, values := range c.form {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// authenticated checks the presented access token and, if scopes are named,
// that the token holds one of them.
func (c *call) authenticated(anyOf ...string) *refusal {
	if c.secret == "" {
		return no(reasonNoToken)
	}
	if c.token == nil || c.token.Kind != kindAccess {
		return no(reasonBadToken)
	}
	switch c.p.standing(c.token) {
	case stateExpired:
		return no(reasonTokenExpired)
	case stateRevoked, stateRotated:
		return no(reasonTokenRevoked)
	}
	if len(anyOf) > 0 && !holdsAny(c.token.Scopes, anyOf) {
		return &refusal{reason: reasonScope, needed: anyOf}
	}
	return nil
}

func holdsAny(have, anyOf []string) bool {
	for _, h := range have {
		for _, n := range anyOf {
			if h == n {
				return true
			}
		}
	}
	return false
}

// underPrefix puts a path prefix into a ServeMux pattern with or without method.
func underPrefix(pattern, prefix string) string {
	if method, path, ok := strings.Cut(pattern, " "); ok {
		return method + " " + prefix + path
	}
	return prefix + pattern
}
