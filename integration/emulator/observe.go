package emulator

import (
	"slices"
	"strings"
	"time"
)

// Kind sorts calls for the log, counters and faults.
type Kind string

// Kinds of calls.
const (
	KindAuthorize  Kind = "authorize"  // the authorization page and its decision
	KindToken      Kind = "token"      // code exchange
	KindRefresh    Kind = "refresh"    // refresh_token grant
	KindRevoke     Kind = "revoke"     // the provider's revocation endpoint
	KindIntrospect Kind = "introspect" // token introspection
	KindAPI        Kind = "api"        // everything else
)

// Call is one line of the log of calls that a provider received. It never holds
// a token: Fingerprint is the start of the SHA-256 of the token or code.
type Call struct {
	Seq         int               `json:"seq"` // 1, 2, ... in order of completion
	Time        time.Time         `json:"time"`
	Kind        Kind              `json:"kind"`
	Method      string            `json:"method"`
	Path        string            `json:"path"` // without query
	Status      int               `json:"status"`
	Login       string            `json:"login,omitempty"`
	ClientID    string            `json:"client_id,omitempty"`
	Fingerprint string            `json:"fingerprint,omitempty"`
	Idempotency map[string]string `json:"idempotency,omitempty"`
	// Outcome is ok, the provider's error code, lost_reply or drop_before.
	Outcome string `json:"outcome"`
}

// keptCalls bounds the log; the admin API says how many older lines went.
const keptCalls = 20000

type callLog struct {
	calls   []Call
	last    int
	dropped int
}

func (l *callLog) append(c Call) {
	l.last++
	c.Seq = l.last
	if len(l.calls) >= keptCalls {
		half := len(l.calls) / 2
		l.dropped += half
		l.calls = append([]Call(nil), l.calls[half:]...)
	}
	l.calls = append(l.calls, c)
}

// since returns the lines with a greater sequence number.
func (l *callLog) since(seq int) []Call {
	i, _ := slices.BinarySearchFunc(l.calls, seq+1, func(c Call, n int) int { return c.Seq - n })
	return slices.Clone(l.calls[i:])
}

// describe turns a finished call into its log line.
func (p *provider) describe(c *call, out reply) Call {
	line := Call{
		Time: c.began, Kind: c.kind, Method: c.r.Method, Path: p.scrub(c.r.URL.Path),
		Status: out.status, Login: c.login(), Outcome: out.outcome,
	}
	if out.cut {
		line.Status = 0
	}
	if c.secret != "" {
		line.Fingerprint = fingerprintOf(hashOf(c.secret))
	}
	if c.client != nil {
		line.ClientID = c.client.ID
	} else if c.grant != nil {
		line.ClientID = c.grant.ClientID
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key", "X-Request-Id"} {
		if v := c.r.Header.Get(name); v != "" {
			if line.Idempotency == nil {
				line.Idempotency = map[string]string{}
			}
			line.Idempotency[name] = p.scrub(v)
		}
	}
	return line
}

// scrub replaces path segments that are tokens or codes: a client that puts a
// token into a URL must not turn the log into a leak.
func (p *provider) scrub(s string) string {
	parts := strings.Split(s, "/")
	for i, part := range parts {
		hash := hashOf(part)
		if p.tokens[hash] != nil || p.codes[hash] != nil {
			parts[i] = "[" + fingerprintOf(hash) + "]"
		}
	}
	return strings.Join(parts, "/")
}

// Counters are totals since start or Reset.
type Counters struct {
	TokenExchanges  int `json:"token_exchanges"`  // codes exchanged with success
	RefreshRequests int `json:"refresh_requests"` // refresh calls received
	Refreshes       int `json:"refreshes"`        // refreshes carried out
	RefreshReuses   int `json:"refresh_reuses"`   // replaced refresh tokens presented
	// MaxConcurrentRefreshes is the most refresh calls for one grant that were
	// in flight at the same time.
	MaxConcurrentRefreshes int `json:"max_concurrent_refreshes"`
	Revocations            int `json:"revocations"` // successful revocation calls
	APICalls               int `json:"api_calls"`   // API calls received
}

// CounterReport is the totals of a provider and per person (by login).
type CounterReport struct {
	Counters
	ByPerson map[string]Counters `json:"by_person"`
}

type counterBook struct {
	total    Counters
	byPerson map[string]*Counters
}

// add applies a change to the total and to the person, if known.
func (b *counterBook) add(login string, change func(*Counters)) {
	change(&b.total)
	if login == "" {
		return
	}
	if b.byPerson[login] == nil {
		b.byPerson[login] = &Counters{}
	}
	change(b.byPerson[login])
}

// GrantView is one consent with its tokens, as the observation API shows it.
type GrantView struct {
	ID        string      `json:"id"`
	Login     string      `json:"login"`
	ClientID  string      `json:"client_id"`
	Scopes    []string    `json:"scopes"`
	CreatedAt time.Time   `json:"created_at"`
	Revoked   bool        `json:"revoked"`
	Why       string      `json:"why,omitempty"` // why it ended
	Tokens    []TokenView `json:"tokens"`
}

// TokenView is one token: its fingerprint, never its value.
type TokenView struct {
	Fingerprint string     `json:"fingerprint"`
	Kind        string     `json:"kind"`             // access or refresh
	Series      string     `json:"series,omitempty"` // Slack: bot or user
	Scopes      []string   `json:"scopes"`
	IssuedAt    time.Time  `json:"issued_at"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	State       string     `json:"state"` // live, expired, rotated, revoked
}

// views lists grants by login and age, tokens by age.
func (p *provider) views() []GrantView {
	byID := map[string]*GrantView{}
	for _, g := range p.grants {
		byID[g.ID] = &GrantView{ID: g.ID, Login: g.Login, ClientID: g.ClientID, Scopes: g.Scopes,
			CreatedAt: g.CreatedAt, Revoked: !g.EndedAt.IsZero(), Why: g.Why, Tokens: []TokenView{}}
	}
	for _, t := range p.tokens {
		v := TokenView{Fingerprint: fingerprintOf(t.Hash), Kind: string(t.Kind), Series: t.Series,
			Scopes: t.Scopes, IssuedAt: t.IssuedAt, State: p.standing(t)}
		if !t.ExpiresAt.IsZero() {
			v.ExpiresAt = new(t.ExpiresAt)
		}
		if g := byID[t.GrantID]; g != nil {
			g.Tokens = append(g.Tokens, v)
		}
	}
	out := make([]GrantView, 0, len(byID))
	for _, g := range byID {
		slices.SortFunc(g.Tokens, func(a, b TokenView) int {
			if n := a.IssuedAt.Compare(b.IssuedAt); n != 0 {
				return n
			}
			return strings.Compare(a.Kind+a.Fingerprint, b.Kind+b.Fingerprint)
		})
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b GrantView) int {
		if n := strings.Compare(a.Login, b.Login); n != 0 {
			return n
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	return out
}
