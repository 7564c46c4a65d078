package portal

import (
	"context"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/webpage"
	"behalf.dev/behalf/shared/workspace"
)

// shownAfter is how long a connection that has ended stays on the page.
const shownAfter = 30 * 24 * time.Hour

func (f *Function) list(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	v, err := f.admit(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := v.db.ConnectionsOf(ctx, v.Scope)
	if err != nil {
		return nil, err
	}
	lately, err := v.db.Activities(ctx, v.Scope)
	if err != nil {
		return nil, err
	}
	var live, ended []card
	for _, c := range all {
		switch {
		case c.Refresh.Generation == 0 || c.Part(): // never came to anything
		case c.Status != connection.Revoked:
			live = append(live, f.cardOf(c, lately))
		case f.deps.Now().Sub(c.Revocation.At) < shownAfter:
			ended = append(ended, f.cardOf(c, lately))
		}
	}
	logins, err := f.loginsOf(ctx, v)
	if err != nil {
		return nil, err
	}
	return f.pages.list(v, live, ended, logins)
}

// own finds the visitor's connection that the path names. Somebody else's is not there.
func (f *Function) own(ctx context.Context, r *apigw.Request, v room) (connection.Connection, error) {
	id, err := r.Path("connection")
	if err != nil {
		return connection.Connection{}, err
	}
	all, err := v.db.ConnectionsOf(ctx, v.Scope)
	if err != nil {
		return connection.Connection{}, err
	}
	for _, c := range all {
		if string(c.ID) == id && !c.Part() && c.Refresh.Generation > 0 {
			return c, nil
		}
	}
	return connection.Connection{}, f.here(v, fault.New(fault.NotFound, "you have no connection of this name").With("reason", "no_connection"))
}

// here adds to an error the way back to the list.
func (f *Function) here(v room, err error) error {
	return &webpage.Failed{Err: err, Brand: v.brand, Back: f.public + "/portal", BackTo: "your connections"}
}

func (f *Function) show(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	v, err := f.admit(ctx, r)
	if err != nil {
		return nil, err
	}
	c, err := f.own(ctx, r, v)
	if err != nil {
		return nil, err
	}
	return f.pages.one(v, f.cardOf(c, nil))
}

// maxForm is more than the one form has.
const maxForm = 4 << 10

// disconnect ends a connection as DELETE does for the back end, and shows by redirect what came of it. Twice is once.
func (f *Function) disconnect(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	v, err := f.admit(ctx, r)
	if err != nil {
		return nil, err
	}
	body, err := r.Body()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body[:min(len(body), maxForm)]))
	if err != nil {
		return nil, f.here(v, fault.New(fault.InvalidInput, "the form cannot be read").WithCause(err))
	}
	if err := v.guarded(r, form.Get("guard")); err != nil {
		return nil, f.here(v, err)
	}
	c, err := f.own(ctx, r, v)
	if err != nil {
		return nil, err
	}
	off := workspace.Offboarder{DB: v.db, Queue: f.queue, Events: f.bus, Log: f.deps.Log, Delay: workspace.DirectFirst, Now: f.deps.Now, NewID: f.deps.IDs.New}
	done, err := off.Revoke(ctx, c, "disconnected_by_user", "portal")
	if err != nil {
		return nil, f.here(v, err)
	}
	if !done.Revocation.Erased {
		if _, rerr := f.revoke.Revoke(ctx, done.Ref, "portal"); rerr != nil {
			f.deps.Log.WarnContext(ctx, "provider not told yet; the queue goes on", "connection", done.ID, "error", rerr)
		}
	}
	return webpage.SeeOther(f.public + "/portal/connections/" + string(c.ID)), nil
}
