package dynamo

import (
	"context"
	"strings"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// storedView is a view, or that there was one. It lies in the tenant's state partition, which a session's credentials may
// read. Whoever manages a tenant may not delete rows there, so a deleted view leaves a mark.
type storedView struct {
	toolcall.View
	Deleted bool `json:"deleted,omitempty"`
}

// View reads one of the tenant's views. fault.NotFound when there is none; Version then is still that of the mark a
// deleted one left.
func (db *DB) View(ctx context.Context, t tenant.ID, name string) (toolcall.View, error) {
	i, err := db.get(ctx, db.names.Vault, viewKey(t, name))
	if err != nil {
		return toolcall.View{}, err
	}
	var s storedView
	if i != nil {
		if err := decode(i, &s); err != nil {
			return toolcall.View{}, err
		}
	}
	s.Version = number(i, attrVersion)
	if i == nil || s.Deleted {
		return toolcall.View{Version: s.Version}, noView(t, name)
	}
	return s.View, nil
}

// ViewFor reads the view that a session of the tenant gets by a name, in one request: the tenant's own, else that of the whole
// deployment. fault.NotFound when there is neither.
func (db *DB) ViewFor(ctx context.Context, t tenant.ID, name string) (toolcall.View, error) {
	items, err := db.batchGet(ctx, db.names.Vault, []item{viewKey(t, name).item(), viewKey(tenant.Deployment, name).item()})
	if err != nil {
		return toolcall.View{}, err
	}
	var found *storedView
	for _, i := range items {
		var s storedView
		if err := decode(i, &s); err != nil {
			return toolcall.View{}, err
		}
		s.Version = number(i, attrVersion)
		if own := text(i, attrPK) == viewKey(t, name).pk; !s.Deleted && (own || found == nil) {
			found = &s
		}
	}
	if found == nil {
		return toolcall.View{}, noView(t, name)
	}
	return found.View, nil
}

func noView(t tenant.ID, name string) error {
	if t == tenant.Deployment {
		return fault.New(fault.NotFound, "there is no view %q for all tenants; make it with PUT /v1/mcp-views/%s", name, name).WithField("view")
	}
	return fault.New(fault.NotFound, "tenant %q has no view %q; make it with PUT /v1/tenants/%s/mcp-views/%s", t, name, t, name).WithField("view")
}

// PutView writes a view if the stored version is v's (0: never there); fault.Conflict otherwise.
func (db *DB) PutView(ctx context.Context, t tenant.ID, v toolcall.View) error {
	return db.putView(ctx, t, storedView{View: v})
}

// DeleteView removes a view if the stored version is v's; fault.Conflict otherwise.
func (db *DB) DeleteView(ctx context.Context, t tenant.ID, v toolcall.View) error {
	return db.putView(ctx, t, storedView{View: toolcall.View{Name: v.Name, Version: v.Version}, Deleted: true})
}

func (db *DB) putView(ctx context.Context, t tenant.ID, s storedView) error {
	i, err := document(viewKey(t, s.Name), s.Version+1, s)
	if err != nil {
		return err
	}
	_, err = db.put(ctx, db.names.Vault, i, s.Version)
	return err
}

// Views lists a page of the tenant's views behind after, by name; next is empty at the end. A page may hold fewer than
// limit, or none, and not be the last.
func (db *DB) Views(ctx context.Context, t tenant.ID, after string, limit int) (out []toolcall.View, next string, err error) {
	p := page{pk: tenantStateKey(t).pk, prefix: viewPrefix, limit: int32(limit), strong: true}
	if after != "" {
		p.after = viewKey(t, after).sk
	}
	items, more, err := db.query(ctx, db.names.Vault, p)
	if err != nil {
		return nil, "", err
	}
	for _, i := range items {
		var s storedView
		if err := decode(i, &s); err != nil {
			return nil, "", err
		}
		if s.Version = number(i, attrVersion); !s.Deleted {
			out = append(out, s.View)
		}
	}
	return out, strings.TrimPrefix(more, viewPrefix), nil
}
