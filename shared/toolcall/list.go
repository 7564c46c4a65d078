package toolcall

import (
	"context"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
)

// List returns the tools that the session may call now: those of connectors with an active connection, within the
// session's limits, whose scopes were granted. query narrows by words that must all occur in name or description;
// empty means no narrowing. Sorted by name.
func (e *Executor) List(ctx context.Context, s authn.Session, query string) ([]*catalog.Tool, error) {
	snap, err := e.State.Connected(ctx, s.Scope)
	if err != nil {
		return nil, err
	}
	if err := snap.Admit(s); err != nil {
		return nil, err
	}
	granted := map[string][]string{}
	for _, h := range snap.Connections {
		if h.Status == connection.Active {
			granted[h.Connector] = append(granted[h.Connector], h.Scopes...)
		}
	}
	words := strings.Fields(strings.ToLower(query))
	out := []*catalog.Tool{}
	for id, scopes := range granted {
		spec, err := e.Tools.Connector(id)
		if err != nil {
			continue // the connector was removed after the account was connected
		}
		tools, err := spec.Tools()
		if err != nil {
			return nil, err
		}
		for _, t := range tools {
			if s.Allows(id, t.Name) && len(t.MissingScopes(scopes)) == 0 && matches(t, words) {
				out = append(out, t)
			}
		}
	}
	slices.SortFunc(out, func(a, b *catalog.Tool) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func matches(t *catalog.Tool, words []string) bool {
	text := strings.ToLower(t.Name + " " + t.Title + " " + t.Description)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
