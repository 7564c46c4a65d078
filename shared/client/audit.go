package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/audit"
)

// What the trail is made of. The same types that the service writes, so that audit.Verify recomputes the chain from what
// was read here.
type (
	// AuditRecord is one row of the trail.
	AuditRecord = audit.Record
	// Segment is one link of a tenant's chain.
	Segment = audit.Segment
	// SealedRecord names a record and its hash.
	SealedRecord = audit.Sealed
)

// AuditFilter narrows the trail; zero fields do not. From is inclusive, To exclusive; without From the API looks back
// 30 days.
type AuditFilter struct {
	Principal, Connection, Tool, Run, Session, Execution, Kind string
	From, To                                                   time.Time
}

func (f AuditFilter) pairs() []string {
	return []string{"principal", f.Principal, "connection", f.Connection, "tool", f.Tool, "run", f.Run, "session", f.Session, "execution", f.Execution, "kind", f.Kind,
		"from", moment(f.From), "to", moment(f.To)}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// AuditPage is one page of the trail, newest first.
type AuditPage struct {
	Records []AuditRecord `json:"records"`
	// Cursor continues the list; empty at its end.
	Cursor string `json:"cursor,omitempty"`
	// Segments is the tenant's whole chain; only AuditSegments asks for it.
	Segments []Segment `json:"segments,omitempty"`
}

const auditRoute = "/v1/tenants/{tenant}/audit"

// Audit reads one page of a tenant's trail. It works for deleted tenants too.
func (c *Client) Audit(ctx context.Context, tenant string, f AuditFilter, p Page) (AuditPage, error) {
	return get[AuditPage](ctx, c, call{method: http.MethodGet, route: auditRoute, params: []string{tenant}, query: p.query(f.pairs()...)})
}

// AllAudit yields every record that f leaves, newest first, page by page. It stops after yielding an error.
func (c *Client) AllAudit(ctx context.Context, tenant string, f AuditFilter) iter.Seq2[AuditRecord, error] {
	return each(func(cursor string) ([]AuditRecord, string, error) {
		p, err := c.Audit(ctx, tenant, f, Page{Limit: 1000, Cursor: cursor})
		return p.Records, p.Cursor, err
	})
}

// AuditSegments reads the tenant's whole chain, in order. To verify, read it before the records: then everything that it
// seals is among them, and what it does not seal is newer.
func (c *Client) AuditSegments(ctx context.Context, tenant string) ([]Segment, error) {
	p, err := get[AuditPage](ctx, c, call{method: http.MethodGet, route: auditRoute, params: []string{tenant}, query: with("limit", "1", "include", "segments")})
	return p.Segments, err
}
