package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// dueConnection is one row of the list of what is due.
type dueConnection struct {
	DueAt      time.Time        `json:"due_at"`
	Connection apigw.Connection `json:"connection"`
}

// How far ahead an operator may look, and how many connections are read at once.
const maxWithin, dueReaders = 30 * 24 * time.Hour, 8

// listDue shows what the sweep would find. The refresh function alone may read the index and says whose is due; what is to be
// shown of each is read here, with credentials of its tenant.
func (f *Function) listDue(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("within", "limit", "cursor"); err != nil {
		return nil, err
	}
	if by.Tenant != tenant.Deployment {
		return nil, fault.New(fault.Forbidden, "this list is of all tenants, and the API key is limited to one; list that tenant's connections")
	}
	within, err := withinOf(r)
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
	page, next, err := f.refresh.Due(ctx, within, limit, after)
	if err != nil {
		return nil, err
	}
	rows, err := f.readDue(ctx, page)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, list("due", rows, next))
}

func withinOf(r *apigw.Request) (time.Duration, error) {
	s := r.Query().Get("within")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if most := int(maxWithin.Seconds()); err != nil || n < 0 || n > most {
		return 0, fault.Invalid("within", "within is a number of seconds from 0 to %d", most)
	}
	return time.Duration(n) * time.Second, nil
}

// readDue reads the connections of a page. One that is gone since, or is no longer due, leaves its place.
func (f *Function) readDue(ctx context.Context, page []connection.Due) ([]dueConnection, error) {
	found := make([]*dueConnection, len(page))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(dueReaders)
	for i, d := range page {
		g.Go(func() error {
			db, err := f.tenantDB(ctx, d.Tenant)
			if err != nil {
				return err
			}
			c, err := db.Connection(ctx, d.Ref)
			if fault.Is(err, fault.NotFound) {
				return nil
			}
			if err == nil && (c.Status == connection.Active || c.Status == connection.Pending) {
				found[i] = &dueConnection{d.At, apigw.NewConnection(c)}
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := []dueConnection{}
	for _, row := range found {
		if row != nil {
			out = append(out, *row)
		}
	}
	return out, nil
}
