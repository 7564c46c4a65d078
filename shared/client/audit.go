package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// AuditRecord is one row of the audit trail. Its JSON is that of the API, field by field, so that hashes of the chain
// can be recomputed from it.
type AuditRecord struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	Time       time.Time `json:"time"`
	Tenant     string    `json:"tenant"`
	Principal  string    `json:"principal,omitempty"`
	Connector  string    `json:"connector,omitempty"`
	Connection string    `json:"connection_id,omitempty"`
	Grant      string    `json:"grant_id,omitempty"`
	Scopes     []string  `json:"scopes,omitempty"`
	// Generation is the token generation in force.
	Generation uint64 `json:"generation,omitempty"`
	Session    string `json:"session_id,omitempty"`
	// Parents are the sessions that this one was narrowed from, nearest first.
	Parents   []string `json:"parent_session_ids,omitempty"`
	Agent     string   `json:"agent,omitempty"`
	Run       string   `json:"run_id,omitempty"`
	Execution string   `json:"execution_id,omitempty"`
	Tool      string   `json:"tool,omitempty"`
	Effect    string   `json:"effect,omitempty"`
	// InputSHA256 is the hex digest of the canonical input.
	InputSHA256 string `json:"input_sha256,omitempty"`
	// Outcome is succeeded, failed or unknown; Code is the error code of a failure.
	Outcome        string `json:"outcome,omitempty"`
	Code           string `json:"code,omitempty"`
	Reason         string `json:"reason,omitempty"`
	ProviderStatus int    `json:"provider_status,omitempty"`
	// DurationMS is how long the provider took, in milliseconds.
	DurationMS int64 `json:"duration_ms,omitempty"`
	// By is who caused it on the control plane: an API key's id, "scim", "sweep"; for a narrowed session its parent's id.
	By string `json:"by,omitempty"`
	// VerifiedBy is how a new session's principal was established: api_key, oidc (a token of Issuer) or session.
	VerifiedBy string `json:"verified_by,omitempty"`
	Issuer     string `json:"issuer,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
}

// Segment is one link of a tenant's chain.
type Segment struct {
	// Seq counts from 1 without gaps; Prev is the Hash of the segment before, empty for the first.
	Seq     uint64         `json:"seq"`
	Prev    string         `json:"prev"`
	Records []SealedRecord `json:"records"`
	Time    time.Time      `json:"time"`
	// Hash is SHA-256 over all of the above, hex.
	Hash string `json:"hash"`
}

// SealedRecord names a record and the SHA-256 of its canonical form, hex.
type SealedRecord struct {
	ID   string `json:"id"`
	Hash string `json:"hash"`
}

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
