package admin

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
)

// audit lists records newest first. With include=segments the tenant's chain comes along, for verification offline.
func (f *Function) audit(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("principal", "connection", "tool", "run", "session", "execution", "kind", "from", "to", "limit", "cursor", "include"); err != nil {
		return nil, err
	}
	id, err := r.Tenant(by) // a deleted tenant's trail stays readable
	if err != nil {
		return nil, err
	}
	db, err := f.tenantDB(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := db.Tenant(ctx, id); err != nil {
		return nil, err
	}
	p, err := f.auditPage(r)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if r.Query().Get("include") == "segments" { // before the records: what is sealed in between is then merely not sealed yet
		if out["segments"], err = db.Segments(ctx, id); err != nil {
			return nil, err
		}
	}
	records, more, err := db.Records(ctx, id, p)
	if err != nil {
		return nil, err
	}
	next := ""
	if more {
		last := records[len(records)-1]
		next = last.Time.UTC().Format(time.RFC3339Nano) + " " + last.ID
	}
	if records == nil {
		records = []audit.Record{}
	}
	maps.Copy(out, list("records", records, next))
	return apigw.JSON(http.StatusOK, out)
}

// auditSpan is how far back a listing looks when it is not told.
const auditSpan = 30 * 24 * time.Hour

func (f *Function) auditPage(r *apigw.Request) (p dynamo.AuditPage, err error) {
	q := r.Query()
	now := f.deps.Now()
	if inc := q.Get("include"); inc != "" && inc != "segments" {
		return p, fault.Invalid("include", "include is \"segments\" or absent")
	}
	if p.To, err = moment(q, "to", now.Add(time.Minute)); err != nil {
		return p, err
	}
	if p.From, err = moment(q, "from", p.To.Add(-auditSpan)); err != nil {
		return p, err
	}
	if !p.From.Before(p.To) {
		return p, fault.Invalid("from", "from must be before to")
	}
	if p.Limit, err = r.Limit(100, 1000); err != nil {
		return p, err
	}
	pos, err := r.Position()
	if err != nil {
		return p, err
	}
	if pos != "" {
		if p.Before, p.BeforeID, err = splitPosition(pos); err != nil {
			return p, err
		}
	}
	p.Keep = auditFilter(q)
	return p, nil
}

func splitPosition(pos string) (time.Time, string, error) {
	bad := fault.Invalid("cursor", "this cursor is not one of ours; leave it out to start over")
	for i := range pos {
		if pos[i] == ' ' {
			at, err := time.Parse(time.RFC3339Nano, pos[:i])
			if err != nil {
				return at, "", bad
			}
			return at, pos[i+1:], nil
		}
	}
	return time.Time{}, "", bad
}

func moment(q url.Values, name string, fallback time.Time) (time.Time, error) {
	s := q.Get(name)
	if s == "" {
		return fallback, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fault.Invalid(name, "%s is a time like 2026-11-22T12:00:00Z", name)
	}
	return t, nil
}

func auditFilter(q url.Values) func(audit.Record) bool {
	return func(r audit.Record) bool {
		for name, have := range map[string]string{"principal": r.Principal, "connection": r.Connection, "tool": r.Tool, "run": r.Run, "session": r.Session, "execution": r.Execution, "kind": string(r.Kind)} {
			if want := q.Get(name); want != "" && want != have {
				return false
			}
		}
		return true
	}
}
