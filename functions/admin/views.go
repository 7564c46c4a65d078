package admin

import (
	"context"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

type viewBody struct {
	Connectors []string         `json:"connectors"`
	Tools      []string         `json:"tools"`
	Effects    []catalog.Effect `json:"effects"`
}

// putView sets what agents see at /mcp/{view}: those of the tenant, or those of every tenant that has no view of this name.
func (f *Function) putView(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, t, name, err := f.viewOf(ctx, r, by)
	if err != nil {
		return nil, err
	}
	var b viewBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	now := f.deps.Now().UTC()
	v := toolcall.View{Name: name, Connectors: b.Connectors, Tools: b.Tools, Effects: b.Effects, Created: now, Updated: now}
	if err := v.Check(f.catalog); err != nil {
		return nil, err
	}
	status := http.StatusOK
	old, err := db.View(ctx, t, name)
	switch v.Version = old.Version; {
	case fault.Is(err, fault.NotFound):
		status = http.StatusCreated
	case err != nil:
		return nil, err
	default:
		v.Created = old.Created
	}
	if err := f.recordView(ctx, db, t, by, name, "view_set"); err != nil {
		return nil, err
	}
	if err := db.PutView(ctx, t, v); err != nil {
		return nil, err
	}
	return apigw.JSON(status, v)
}

func (f *Function) getView(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, t, name, err := f.viewOf(ctx, r, by)
	if err != nil {
		return nil, err
	}
	v, err := db.View(ctx, t, name)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, v)
}

// deleteView takes a view away: calls through it are refused from now on.
func (f *Function) deleteView(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, t, name, err := f.viewOf(ctx, r, by)
	if err != nil {
		return nil, err
	}
	v, err := db.View(ctx, t, name)
	if err != nil {
		return nil, err
	}
	if err := f.recordView(ctx, db, t, by, name, "view_deleted"); err != nil {
		return nil, err
	}
	if err := db.DeleteView(ctx, t, v); err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusNoContent}, nil
}

func (f *Function) listViews(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("limit", "cursor"); err != nil {
		return nil, err
	}
	db, t, err := f.viewOwner(ctx, r, by)
	if err != nil {
		return nil, err
	}
	limit, err := r.Limit(100, 500)
	if err != nil {
		return nil, err
	}
	after, err := r.Position()
	if err != nil {
		return nil, err
	}
	views, next, err := db.Views(ctx, t, after, limit)
	if err != nil {
		return nil, err
	}
	if views == nil {
		views = []toolcall.View{}
	}
	return apigw.JSON(http.StatusOK, list("views", views, next))
}

// viewOf reads the path of a view.
func (f *Function) viewOf(ctx context.Context, r *apigw.Request, by authn.Caller) (db *dynamo.DB, t tenant.ID, name string, err error) {
	if err = r.Only(); err != nil {
		return nil, "", "", err
	}
	if name, err = r.Path("view"); err != nil {
		return nil, "", "", err
	}
	if name, err = toolcall.ParseViewName("view", name); err != nil {
		return nil, "", "", err
	}
	db, t, err = f.viewOwner(ctx, r, by)
	return db, t, name, err
}

// viewOwner is whose views the path is about: a tenant that exists, or where it names none the whole deployment.
func (f *Function) viewOwner(ctx context.Context, r *apigw.Request, by authn.Caller) (*dynamo.DB, tenant.ID, error) {
	if !r.Names("tenant") {
		db, err := f.deployment(ctx, by)
		return db, tenant.Deployment, err
	}
	db, t, err := f.existing(ctx, r, by)
	return db, t.ID, err
}

// recordView comes before the change: a view decides what agents may do.
func (f *Function) recordView(ctx context.Context, db *dynamo.DB, t tenant.ID, by authn.Caller, name, reason string) error {
	note := f.note(audit.ViewChanged, t, by)
	note.View, note.Reason = name, reason
	return db.Record(ctx, note)
}
