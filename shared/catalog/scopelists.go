package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// scopeListSpec is a second list of scopes in an authorize request: those that the person may decline (HubSpot's
// optional_scope), or those of another token (Slack's user_scope).
type scopeListSpec struct {
	Param string `yaml:"param"`
	// Members are the scopes that go there.
	Members []string `yaml:"members"`
	// Prefix marks the scopes that go there, where the provider uses one name in both lists. It is ours: the provider never
	// sees it.
	Prefix string `yaml:"prefix"`
	// Path is where the token response names those that were granted; without it they are in the same list as the others.
	Path string `yaml:"path"`
}

// takes reports that scope goes into this list, and how the provider calls it.
func (l scopeListSpec) takes(scope string) (name string, ok bool) {
	if l.Prefix != "" {
		return strings.CutPrefix(scope, l.Prefix)
	}
	return scope, slices.Contains(l.Members, scope)
}

// scopeParams are the parameters of an authorize request that hold the scopes.
func (c *Connector) scopeParams(scopes []string) map[string]string {
	byParam := map[string][]string{}
	for _, scope := range scopes {
		param, name := c.Scopes.Param, scope
		for _, l := range c.m.Scopes.Lists {
			if n, ok := l.takes(scope); ok {
				param, name = l.Param, n
				break
			}
		}
		byParam[param] = append(byParam[param], name)
	}
	out := map[string]string{}
	for param, list := range byParam {
		out[param] = c.JoinScopes(list)
	}
	return out
}

// grantedInLists are the scopes that a token response names outside of its main list, as this manifest calls them.
func (c *Connector) grantedInLists(raw any) (out []string, stated bool) {
	for _, l := range c.m.Scopes.Lists {
		text := ""
		if l.Path != "" {
			text = scopeText(raw, l.Path)
		}
		for _, s := range c.SplitScopes(text) {
			out, stated = append(out, l.Prefix+s), true
		}
	}
	return out, stated
}

func checkScopeLists(s *source, m *manifest) {
	seen := map[string]bool{m.Scopes.Param: true}
	for i, l := range m.Scopes.Lists {
		at := fmt.Sprintf("scopes.lists[%d]", i)
		if !paramName.MatchString(l.Param) || seen[l.Param] {
			s.add(at+".param", "%q: want the name of a parameter that is not used yet", l.Param)
		}
		seen[l.Param] = true
		if (l.Prefix == "") == (len(l.Members) == 0) {
			s.add(at, "state either members or prefix")
		}
		unknownScopes(s, at+".members", m, l.Members)
		checkPath(s, at+".path", l.Path, true)
		if m.Scopes.Mode == scopesFixed {
			s.add(at, "scopes.mode fixed sends no scopes")
		}
	}
}
