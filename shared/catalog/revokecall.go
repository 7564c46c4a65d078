package catalog

import (
	"net/url"
	"strings"
)

// tokenMark stands in an address where a token goes. It survives the escaping of a path and is part of no token.
const tokenMark = "~token~"

// Kinds are the tokens that a call is made about, in order, of a connection that has a refresh token or not. A token that is not
// there is left out, and when none is, the access token is what is left. TokenNone is one call without a token.
func (s TokenCall) Kinds(refresh bool) []TokenKind {
	switch {
	case s.Token == TokenNone:
		return []TokenKind{TokenNone}
	case s.Token == TokenBoth && refresh: // the access token of some dies with it, and is then gone already
		return []TokenKind{TokenRefresh, TokenAccess}
	case s.Token == TokenRefresh && refresh:
		return []TokenKind{TokenRefresh}
	}
	return []TokenKind{TokenAccess}
}

// accountMeta is the name under which RevokeRequest finds the account's id in metadata, beside what was captured.
const accountMeta = "\x00account"

// WithAccount is meta with the account's id for RevokeRequest, for providers that revoke by account.
func WithAccount(meta map[string]string, account string) map[string]string {
	return Place{Meta: map[string]string{accountMeta: account}}.Merge(meta)
}

// fill sets the fields that go with the token. One that nothing is known for is left out.
func (s *TokenCall) fill(params, meta map[string]string) error {
	s.params = map[string]string{}
	for name, tmpl := range params {
		t, err := parseText(tmpl)
		if err != nil { // checked at load
			return err
		}
		v, missing := t.expand(func(ref string) (string, bool) {
			if m, ok := strings.CutPrefix(ref, ofConnection); ok {
				return meta[m], true
			}
			if ref == "account_id" {
				return meta[accountMeta], true
			}
			return s.clientID, true
		})
		if missing == "" {
			s.params[name] = v
		}
	}
	return nil
}

// address is the URL with a token in its path, or with fields in its query.
func (s TokenCall) address(fields url.Values, token []byte) url.URL {
	u := *s.URL
	if s.inPath {
		u.RawPath = strings.Replace(u.EscapedPath(), url.PathEscape(tokenMark), url.PathEscape(string(token)), 1)
		u.Path = strings.Replace(u.Path, tokenMark, string(token), 1)
	}
	if s.Format == formatQuery {
		u.RawQuery = fields.Encode()
	}
	return u
}

// Manual is how a person removes the access at a provider that has no call for it: a sentence, and a page if there is one. Both
// are empty when the manifest says nothing.
func (c *Connector) Manual() (text, address string) {
	if c.m.Revoke == nil || c.m.Revoke.Manual == nil {
		return "", ""
	}
	return c.m.Revoke.Manual.Text, c.m.Revoke.Manual.URL
}

// LivesOn says what a revocation leaves alive, for reports; empty when it leaves nothing, or the manifest does not say.
func (s RevokeSpec) LivesOn(refresh bool) string {
	if s.Effect != EffectToken || !refresh {
		return ""
	}
	if s.Token == TokenRefresh {
		return "the access token lives until it expires; it was erased here"
	}
	if s.Token == TokenAccess {
		return "the refresh token is not ended by this call; it was erased here"
	}
	return ""
}
