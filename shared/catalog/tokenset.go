package catalog

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// TokenSets are the names of the further access tokens that come with the main one, sorted.
func (c *Connector) TokenSets() []string { return slices.Sorted(maps.Keys(c.m.Tokens)) }

// tokenSets reads the further tokens of an exchange. A refresh is of one token, and its answer holds that one alone.
func (c *Connector) tokenSets(raw map[string]any, now time.Time) map[string]TokenResponse {
	var out map[string]TokenResponse
	for name, spec := range c.m.Tokens {
		root, _ := lookup(raw, spec.Root)
		access, _ := lookupText(root, spec.Map.AccessToken)
		if access == "" {
			continue
		}
		refresh, _ := lookupText(root, spec.Map.RefreshToken)
		t := TokenResponse{AccessToken: secret.FromString(access), RefreshToken: secret.FromString(refresh),
			RefreshExpiresAt: expiryAt(now, root, spec.Map.RefreshExpiresIn, c.Expiry.RefreshFormat)}
		t.ExpiresAt = c.expiresFrom(root, spec.Map.ExpiresIn, now)
		if scope := scopeText(root, spec.Map.Scope); scope != "" {
			t.Scopes, t.ScopesStated = c.SplitScopes(scope), true
		}
		if out == nil {
			out = map[string]TokenResponse{}
		}
		out[name] = t
	}
	return out
}

// expiresFrom is the end of a token whose lifetime stands at path, in the manner of expires.
func (c *Connector) expiresFrom(root any, path string, now time.Time) time.Time {
	switch c.Expiry.Mode {
	case ExpiryField:
		return expiryAt(now, root, path, c.Expiry.Format)
	case ExpiryFixed, ExpiryIntrospect:
		return now.Add(time.Duration(c.Expiry.Seconds) * time.Second)
	}
	return time.Time{}
}

// CheckTokenSets reports a required set that an exchange did not bring: fault.ProviderError.
func (c *Connector) CheckTokenSets(got []string) error {
	for name, spec := range c.m.Tokens {
		if spec.Required && !slices.Contains(got, name) {
			return fault.New(fault.ProviderError, "%s gave no %s token; nothing was connected", c.ID, name).With("reason", "token_set_missing")
		}
	}
	return nil
}

func (t tokenMap) over(base tokenMap) tokenMap {
	return tokenMap{AccessToken: cmp.Or(t.AccessToken, base.AccessToken), RefreshToken: cmp.Or(t.RefreshToken, base.RefreshToken), ExpiresIn: cmp.Or(t.ExpiresIn, base.ExpiresIn),
		RefreshExpiresIn: cmp.Or(t.RefreshExpiresIn, base.RefreshExpiresIn), Scope: cmp.Or(t.Scope, base.Scope)}
}
