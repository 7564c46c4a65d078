package portal

import (
	"context"
	"net/url"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/mcpauth"
	"behalf.dev/behalf/shared/webpage"
)

// loginLine is one MCP client that a person logged in.
type loginLine struct {
	ID, Host, Name string
	Since, Renewed moment
}

// loginsOf are the visitor's logins that can still give access, newest first.
func (f *Function) loginsOf(ctx context.Context, v room) (out []loginLine, err error) {
	all, err := v.db.GrantsOf(ctx, v.Scope)
	if err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if g := all[i]; g.Live(f.deps.Now()) {
			out = append(out, loginLine{g.Session, host(g.ClientID), g.ClientName, momentOf(g.Created), momentOf(g.Renewed)})
		}
	}
	return out, nil
}

// endLogin logs a client of the visitor's out. Somebody else's is not there. Twice is once.
func (f *Function) endLogin(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	v, err := f.admit(ctx, r)
	if err != nil {
		return nil, err
	}
	body, err := r.BodyUpTo(maxForm)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, f.here(v, fault.New(fault.InvalidInput, "the form cannot be read").WithCause(err))
	}
	if err := v.guarded(r, form.Get("guard")); err != nil {
		return nil, f.here(v, err)
	}
	id, err := r.Path("login")
	if err != nil {
		return nil, err
	}
	g, err := v.db.Grant(ctx, v.Scope, id)
	if err != nil {
		return nil, f.here(v, err)
	}
	if g.Live(f.deps.Now()) {
		if err := mcpauth.End(ctx, v.db, g, "ended_by_user", f.deps.Now()); err != nil {
			return nil, f.here(v, err)
		}
		err := v.db.Record(ctx, audit.Record{ID: f.deps.IDs.New("aud"), Kind: audit.LoginEnded, Time: f.deps.Now(), Tenant: g.Tenant, Principal: string(g.Principal), Session: g.Session,
			Agent: g.ClientID, By: "portal", Reason: "ended_by_user", Outcome: "succeeded", RequestID: r.ID()})
		if err != nil {
			return nil, f.here(v, err)
		}
	}
	return webpage.SeeOther(f.public + "/portal"), nil
}
