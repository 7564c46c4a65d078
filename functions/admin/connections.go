package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

func (f *Function) listConnections(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("principal", "connector", "status", "limit", "cursor"); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	keep, err := connectionFilter(r, f.deps.Now())
	if err != nil {
		return nil, err
	}
	limit, err := r.Limit(50, 200)
	if err != nil {
		return nil, err
	}
	after, err := r.Position()
	if err != nil {
		return nil, err
	}
	out := []apigw.Connection{}
	for {
		page, next, err := db.TenantConnections(ctx, t.ID, connection.ID(after), 100)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if !keep(c) {
				continue
			}
			if len(out) == limit { // the cursor continues behind the last one that was returned
				return apigw.JSON(http.StatusOK, list("connections", out, out[limit-1].ID))
			}
			out = append(out, apigw.NewConnection(c))
		}
		if after = string(next); after == "" {
			return apigw.JSON(http.StatusOK, list("connections", out, ""))
		}
	}
}

// connectionFilter reads the filters; pending connections whose link has expired are not shown.
func connectionFilter(r *apigw.Request, now time.Time) (func(connection.Connection) bool, error) {
	q := r.Query()
	status := connection.Status(q.Get("status"))
	if status != "" && !slices.Contains(connection.Statuses(), status) {
		var known []string
		for _, s := range connection.Statuses() {
			known = append(known, string(s))
		}
		return nil, fault.Invalid("status", "unknown status %q; known are %s", status, strings.Join(known, ", "))
	}
	return func(c connection.Connection) bool {
		if c.Part() || c.Status == connection.Pending && !c.Live(now) {
			return false
		}
		return (status == "" || c.Status == status) && (q.Get("principal") == "" || string(c.Principal) == q.Get("principal")) && (q.Get("connector") == "" || c.Connector == q.Get("connector"))
	}, nil
}

// find reads the connection that the path names.
func (f *Function) find(ctx context.Context, r *apigw.Request, by authn.Caller) (*dynamo.DB, connection.Connection, error) {
	var c connection.Connection
	if err := r.Only(); err != nil {
		return nil, c, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, c, err
	}
	raw, err := r.Path("connection")
	if err != nil {
		return nil, c, err
	}
	id, err := connection.ParseID("connection", raw)
	if err != nil {
		return nil, c, err
	}
	ref, err := db.FindConnection(ctx, t.ID, id)
	if err != nil {
		return nil, c, err
	}
	c, err = db.Connection(ctx, ref)
	if err == nil && c.Part() { // it has no life of its own
		return nil, c, fault.New(fault.NotFound, "there is no connection %s", id)
	}
	return db, c, err
}

func (f *Function) getConnection(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	_, c, err := f.find(ctx, r, by)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, apigw.NewConnection(c))
}

func (f *Function) pauseConnection(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	return f.move(ctx, r, by, audit.ConnectionPaused, connection.Connection.Pause)
}

func (f *Function) resumeConnection(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	return f.move(ctx, r, by, audit.ConnectionResumed, connection.Connection.Resume)
}

func (f *Function) move(ctx context.Context, r *apigw.Request, by authn.Caller, kind audit.Kind, to func(connection.Connection, time.Time) (connection.Connection, error)) (*apigw.Response, error) {
	db, c, err := f.find(ctx, r, by)
	if err != nil {
		return nil, err
	}
	done, err := db.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) { return to(x, f.deps.Now()) })
	if err != nil {
		return nil, err
	}
	if err := db.Record(ctx, f.about(kind, done, by)); err != nil {
		return nil, err
	}
	if err := f.bus.ConnectionChanged(ctx, kind, done); err != nil {
		f.deps.Log.ErrorContext(ctx, "event not published", "connection", done.ID, "kind", kind, "error", err)
	}
	return apigw.JSON(http.StatusOK, apigw.NewConnection(done))
}

// about is an audit record on a connection.
func (f *Function) about(kind audit.Kind, c connection.Connection, by authn.Caller) audit.Record {
	n := f.note(kind, c.Tenant, by)
	n.Principal, n.Connector, n.Connection, n.Grant, n.Scopes = string(c.Principal), c.Connector, string(c.ID), string(c.Grant), c.Scopes
	return n
}

// refreshConnection refreshes now, whether due or not.
func (f *Function) refreshConnection(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, c, err := f.find(ctx, r, by)
	if err != nil {
		return nil, err
	}
	if c.Status != connection.Active {
		return nil, fault.New(fault.Conflict, "only an active connection can be refreshed; this one is %s", c.Status).With("status_now", string(c.Status))
	}
	res, err := f.refresh.Refresh(ctx, connection.RefreshRequest{Ref: c.Ref, Force: true, Wait: 10 * time.Second, By: by.KeyID})
	if err != nil {
		return nil, err
	}
	if c, err = db.Connection(ctx, c.Ref); err != nil {
		return nil, err
	}
	out := map[string]any{"result": res.Status, "connection": apigw.NewConnection(c)}
	if res.Reason != "" {
		out["reason"] = res.Reason
	}
	if res.RetryAfter > 0 {
		out["retry_after"] = int(res.RetryAfter.Seconds()) + 1
	}
	return apigw.JSON(http.StatusOK, out)
}

// revokedConnection reports what became of one connection.
type revokedConnection struct {
	apigw.Connection
	// Erased tells that the sealed tokens are gone; false while the provider is still to be told.
	Erased bool `json:"erased"`
}

// end revokes one connection here, then asks the provider and waits for the answer. When the provider cannot be asked
// now, the queue does it later, and the report says "pending".
func (f *Function) end(ctx context.Context, db *dynamo.DB, c connection.Connection, reason string, by authn.Caller) (revokedConnection, error) {
	done, err := f.offboarder(db).Revoke(ctx, c, reason, by.KeyID)
	if err != nil {
		return revokedConnection{}, err
	}
	if !done.Revocation.Erased {
		if _, rerr := f.revoke.Revoke(ctx, done.Ref, by.KeyID); rerr != nil {
			f.deps.Log.WarnContext(ctx, "provider not told yet; the queue goes on", "connection", done.ID, "error", rerr)
		}
		if done, err = db.Connection(ctx, done.Ref); err != nil {
			return revokedConnection{}, err
		}
	}
	return revokedConnection{apigw.NewConnection(done), done.Revocation.Erased}, nil
}

func (f *Function) deleteConnection(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, c, err := f.find(ctx, r, by)
	if err != nil {
		return nil, err
	}
	done, err := f.end(ctx, db, c, "deleted", by)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, done)
}

// deletePrincipal revokes everything that a principal has, and reports each.
func (f *Function) deletePrincipal(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	raw, err := r.Path("principal")
	if err != nil {
		return nil, err
	}
	p, err := tenant.ParsePrincipal("principal", raw)
	if err != nil {
		return nil, err
	}
	all, err := db.ConnectionsOf(ctx, tenant.Scope{Tenant: t.ID, Principal: p})
	if err != nil {
		return nil, err
	}
	if err := f.endLogins(ctx, db, tenant.Scope{Tenant: t.ID, Principal: p}, "principal_deleted", by.KeyID, r); err != nil {
		return nil, err
	}
	// First all statuses, then the providers: what takes long must not keep the rest alive.
	off := f.offboarder(db)
	for i, c := range all {
		if all[i], err = off.Revoke(ctx, c, "principal_deleted", by.KeyID); err != nil {
			return nil, err
		}
	}
	report := []revokedConnection{}
	for _, c := range all {
		done, err := f.end(ctx, db, c, "principal_deleted", by)
		if err != nil {
			return nil, err
		}
		if !c.Part() {
			report = append(report, done)
		}
	}
	return apigw.JSON(http.StatusOK, map[string]any{"tenant": t.ID, "principal": p, "connections": report})
}
