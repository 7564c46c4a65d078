package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
)

// life is how long an access token lives.
const life = time.Hour

// grant is one consent at the provider, and its live refresh token.
type grant struct {
	// cur is the refresh token that works; prev worked before, and still does until prevUntil.
	cur, prev int
	prevUntil time.Time
	// gone is a grant that ended; byUser if not because of a reused token.
	gone, byUser bool
	// spoiledAt is the generation in force when a reused token ended it.
	spoiledAt uint64
}

// provider is a token endpoint.
type provider struct {
	w      *World
	issued int
	grants []*grant
	of     map[int]*grant
	calls  []*flight
}

// flight is one request under way.
type flight struct {
	fence      uint64
	leaseUntil time.Time
	open       bool
}

func newProvider(w *World) *provider { return &provider{w: w, of: map[int]*grant{}} }

func (p *provider) consent() (access, token string) {
	p.issued++
	g := &grant{cur: p.issued}
	p.grants = append(p.grants, g)
	p.of[g.cur] = g
	return fmt.Sprintf("at%d", p.issued), fmt.Sprintf("rt%d", p.issued)
}

// find reads a refresh token.
func (p *provider) find(token string) (n int, g *grant) {
	if _, err := fmt.Sscanf(token, "rt%d", &n); err != nil {
		return 0, nil
	}
	return n, p.of[n]
}

// good reports that a refresh token would be accepted now.
func (p *provider) good(token string) bool {
	n, g := p.find(token)
	return g != nil && !g.gone && (g.cur == n || g.prev == n && p.w.clock().Before(g.prevUntil))
}

// refresh performs the grant.
func (p *provider) refresh(token string) (connection.Tokens, error) {
	n, g := p.find(token)
	if g == nil || g.gone || !p.good(token) {
		if g != nil && !g.gone && p.w.class.Kills {
			p.w.logf("the provider sees rt%d again and ends the grant", n)
			g.gone, g.spoiledAt = true, p.w.conn.Refresh.Generation
			p.w.spoiled(fmt.Sprintf("rt%d", g.cur))
		}
		return connection.Tokens{}, answered(catalog.OutcomeDead, "invalid_grant", 0)
	}
	p.issued++
	t := connection.Tokens{Access: secret.FromString(fmt.Sprintf("at%d", p.issued)), Facts: connection.TokenFacts{ExpiresAt: p.w.clock().Add(life)}}
	if p.w.spec.Rotation.Class == catalog.RotationStatic {
		return t, nil
	}
	if n == g.cur {
		g.prev, g.prevUntil = n, p.w.clock().Add(time.Duration(p.w.spec.Rotation.GraceSeconds)*time.Second)
	}
	g.cur = p.issued
	p.of[g.cur] = g
	t.Refresh = secret.FromString(fmt.Sprintf("rt%d", g.cur))
	return t, nil
}

func answered(kind catalog.OutcomeKind, reason string, after time.Duration) error {
	return &refresh.EndpointError{Outcome: catalog.Outcome{Kind: kind, Reason: reason, RetryAfter: after}, Sent: true, Err: errors.New(reason)}
}

// arrive is a request that leaves. Nobody may ask without a live lease, nor beside somebody who has one.
func (p *provider) arrive() *flight {
	c, now := p.w.conn, p.w.clock()
	f := &flight{fence: c.Refresh.Fence, leaseUntil: c.Refresh.LeaseUntil, open: true}
	if p.w.skewed { // leases end early for some then; that is a matter of efficiency, not of safety
		p.calls = append(p.calls, f)
		return f
	}
	if c.Status == connection.Active && !p.w.reconnected && (c.Refresh.LeaseOwner == "" || !now.Before(f.leaseUntil)) {
		p.w.violate("a request leaves without a live lease")
	}
	for _, o := range p.calls {
		if o.open && now.Before(o.leaseUntil) {
			p.w.violate("two requests inside one live lease: fences %d and %d", o.fence, f.fence)
		}
	}
	p.calls = append(p.calls, f)
	return f
}

// Do is the revocation endpoint (RFC 7009); it implements revoke.Provider.
func (p *provider) Do(r *http.Request) (egress.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return egress.Response{}, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return egress.Response{}, err
	}
	if token := form.Get("token"); p.good(token) {
		_, g := p.find(token)
		g.gone, g.byUser = true, true
		p.w.logf("the provider revokes %s and its grant", token)
		return egress.Response{Status: http.StatusOK}, nil
	}
	return egress.Response{Status: http.StatusBadRequest, Header: http.Header{}, Body: bytes.Clone([]byte(`{"error":"invalid_token"}`))}, nil
}
