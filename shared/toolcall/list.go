package toolcall

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// Want says which tools to list.
type Want struct {
	// Query are words that must all occur in a tool's name, title, description or connector; empty lists what is callable
	// now, by name.
	Query string
	// View narrows; nil for none.
	View *View
	// After is Listing.Next of the page before; empty for the first.
	After string
	// Limit is the most tools of a page; 0 means all.
	Limit int
}

// Listed is a tool within a session's limits.
type Listed struct {
	Tool *catalog.Tool
	// Lacks is why a call would be refused now, with the way to a connection that would do; nil when it would not.
	Lacks *fault.Error
	// Approval is the rule by which a person must approve each call first; empty for none. Cedar may want one besides.
	Approval string
	// Accounts are the active connections that a call can use; with more than one it must name one.
	Accounts []Account

	position string
}

// Meta marks l for formats that have a place for marks; nil when there is nothing to say.
func (l Listed) Meta() map[string]any {
	if l.Approval == "" {
		return nil
	}
	return map[string]any{"behalf.dev/approval_rule": l.Approval}
}

// Account is a connection as whoever chooses among several knows it.
type Account struct {
	ID    connection.ID
	Login string
}

// Listing is a page of tools. Next is empty on the last one.
type Listing struct {
	Tools []Listed
	Next  string
}

// List returns the tools that the session may call now: those within its limits and the view, of connectors with an
// active connection whose scopes suffice. With a query it searches among those of all connectors that the session may
// use, best matches first; what cannot be called now says what it lacks. What switches or the rules of the policy forbid
// whatever the arguments are is in neither.
func (e *Executor) List(ctx context.Context, s authn.Session, w Want) (Listing, error) {
	snap, err := e.reached(ctx, s, func(ctx context.Context) (Snapshot, error) { return e.State.Connected(ctx, s.Scope) })
	if err != nil {
		return Listing{}, err
	}
	if err := snap.Admit(s); err != nil {
		return Listing{}, err
	}
	offered, err := e.offers(ctx, s, snap.Gates)
	if err != nil {
		return Listing{}, err
	}
	words := strings.Fields(strings.ToLower(w.Query))
	var all []Listed
	for _, spec := range e.Tools.Connectors() {
		held := slices.DeleteFunc(slices.Clone(snap.Connections), func(h Held) bool { return h.Connector != spec.ID })
		if len(held) == 0 && len(words) == 0 {
			continue // nothing of it can be called; its tools need not be read
		}
		tools, err := spec.Tools()
		if err != nil {
			return Listing{}, err
		}
		for _, t := range tools {
			score, ok := rank(t, words)
			if !ok || !s.Allows(spec.ID, t.Name) || !w.View.Allows(t) {
				continue
			}
			approval, ok := offered(t)
			if !ok {
				continue
			}
			l := Listed{Tool: t, Approval: approval, Lacks: e.lacks(s, t, held), Accounts: accounts(held)}
			l.position = placeOf(l, score)
			if l.Lacks == nil || len(words) > 0 {
				all = append(all, l)
			}
		}
	}
	return pageOf(all, w), nil
}

// placeOf orders by score and, among equals, what can be called now before what cannot: connectors for one provider have tools
// of like names.
func placeOf(l Listed, score int) string {
	callable := 0
	if l.Lacks != nil {
		callable = 1
	}
	return fmt.Sprintf("%04d %d %s", maxScore-score, callable, l.Tool.Name)
}

// pageOf sorts and cuts. A position is a place in the order and not a number, so a tool that appears or goes meanwhile
// makes the next page neither repeat nor lose another.
func pageOf(all []Listed, w Want) Listing {
	slices.SortFunc(all, func(a, b Listed) int { return strings.Compare(a.position, b.position) })
	all = slices.DeleteFunc(all, func(l Listed) bool { return l.position <= w.After })
	if w.Limit == 0 || len(all) <= w.Limit {
		return Listing{Tools: all}
	}
	return Listing{Tools: all[:w.Limit], Next: all[w.Limit-1].position}
}

// lacks is what a call of t would be refused for now. With several accounts, one that suffices is enough.
func (e *Executor) lacks(s authn.Session, t *catalog.Tool, held []Held) *fault.Error {
	r := &run{session: s, spec: t.Connector(), op: &operation{name: t.Name, missing: t.MissingScopes}}
	short := false
	for _, h := range held {
		if h.Part() {
			continue
		}
		if h.Status == connection.Active && len(t.MissingScopes(scopesFor(h, t.TokenSet, held))) == 0 {
			return nil
		}
		if h.Status == connection.Active && !short {
			r.held, short = h, true
		}
	}
	if short {
		return e.scopeMissing(r, t.MissingScopes(scopesFor(r.held, t.TokenSet, held)))
	}
	_, err := e.choose(r, held)
	return fault.From(err)
}

func accounts(held []Held) (out []Account) {
	for _, h := range held {
		if h.Status == connection.Active && !h.Part() {
			out = append(out, Account{h.ID, h.Account.Login})
		}
	}
	return out
}

// maxScore is above any score of rank, and of four digits in a position.
const maxScore = 9999

// rank scores a tool for the words of a query; ok tells that all of them occur.
func rank(t *catalog.Tool, words []string) (score int, ok bool) {
	name := strings.Split(t.Name, "_")
	title := strings.ToLower(t.Title + " " + t.Connector().Name)
	text := strings.ToLower(t.Description)
	for _, w := range words {
		switch {
		case slices.Contains(name, w):
			score += 8
		case strings.Contains(t.Name, w):
			score += 5
		case strings.Contains(title, w):
			score += 3
		case strings.Contains(text, w):
			score++
		default:
			return 0, false
		}
	}
	return min(score, maxScore), true
}
