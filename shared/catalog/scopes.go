package catalog

import (
	"slices"
	"strings"
	"unicode"

	"behalf.dev/behalf/shared/fault"
)

// Scopes is what a connector knows about permissions.
type Scopes struct {
	// Param is the name of the authorize parameter: "scope", for Slack's user tokens "user_scope".
	Param string
	// Separator joins scopes in a request.
	Separator string
	// Required are added to every request: without them there is no refresh token.
	Required []string
	// Default are asked for when the caller names none.
	Default []string
	// Known are the documented scopes by name. A scope outside may be asked for, but no tool may need it.
	Known map[string]Scope

	responseSeparator string
}

// scopesFixed is scopes.mode where the provider takes permissions from the app's registration and not from a request.
const scopesFixed = "fixed"

// Scope is one permission as the connect page explains it.
type Scope struct {
	Description string   `yaml:"description"`
	Effect      Effect   `yaml:"effect"`
	Implies     []string `yaml:"implies"`
}

// JoinScopes writes scopes as the provider's authorize request wants them.
func (c *Connector) JoinScopes(scopes []string) string {
	return strings.Join(scopes, c.Scopes.Separator)
}

// SplitScopes reads the scopes of a token response, sorted and without repetition. White space always separates (RFC
// 6749, section 3.3), the manifest may name one more separator.
func (c *Connector) SplitScopes(s string) []string {
	sep := c.Scopes.responseSeparator
	list := strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(sep, r) })
	slices.Sort(list)
	return slices.Compact(list)
}

// RequestScopes is what to ask for: asked, or the defaults when it is empty, plus the required ones; sorted. It returns
// fault.InvalidInput for text that is not one scope (RFC 6749, section 3.3).
func (c *Connector) RequestScopes(asked []string) ([]string, error) {
	if len(asked) == 0 {
		asked = c.Scopes.Default
	}
	for _, s := range asked {
		if s == "" || strings.ContainsAny(s, c.Scopes.Separator) || strings.ContainsFunc(s, notScopeChar) {
			return nil, fault.Invalid("/scopes", "%.60q is not a scope of %s", s, c.ID)
		}
	}
	list := slices.Concat(asked, c.Scopes.Required)
	slices.Sort(list)
	return slices.Compact(list), nil
}

func notScopeChar(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

// Missing are those of want that granted does not cover, by name or by implication.
func (s Scopes) Missing(granted, want []string) (out []string) {
	have := s.covers(granted)
	for _, w := range want {
		if !have[w] {
			out = append(out, w)
		}
	}
	return out
}

// covers is granted and everything that it implies.
func (s Scopes) covers(granted []string) map[string]bool {
	have := map[string]bool{}
	todo := slices.Clone(granted)
	for len(todo) > 0 {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !have[next] {
			have[next] = true
			todo = append(todo, s.Known[next].Implies...)
		}
	}
	return have
}
