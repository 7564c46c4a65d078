package toolcall

import (
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// from is what the call's token is taken from: the connection, or the part that the operation names.
func (r *run) from() *Held {
	if r.part != nil {
		return r.part
	}
	return &r.held
}

// choosePart finds the part whose token the operation goes out with. The connection itself must be usable; a part that has died
// is mended by connecting the whole account again.
func (e *Executor) choosePart(r *run, all []Held) error {
	r.part = nil
	if r.op.tokenSet == "" {
		return nil
	}
	h, ok := partOf(r.held, r.op.tokenSet, all)
	if !ok {
		return e.wayIn(r, fault.New(fault.ScopeMissing, "%s goes out with a %s token, which this connection was not granted", r.op.name, r.op.tokenSet).With("token_set", r.op.tokenSet), r.op.missing(nil))
	}
	if h.Status == connection.ReauthorizationRequired {
		main := r.held
		main.Reason = h.Reason
		return e.reauthorize(r, main)
	}
	r.part = &h
	return e.usable(r, h)
}

func partOf(main Held, set string, all []Held) (Held, bool) {
	for _, h := range all {
		if h.Main == main.ID && h.TokenSet == set && h.Status != connection.Revoked {
			return h, true
		}
	}
	return Held{}, false
}

// scopesFor are the scopes of the token that a tool goes out with; none when the connection has no such token.
func scopesFor(main Held, set string, all []Held) []string {
	if set == "" {
		return main.Scopes
	}
	h, ok := partOf(main, set, all)
	if !ok || h.Status != connection.Active {
		return nil
	}
	return h.Scopes
}
