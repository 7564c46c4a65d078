package emulator

import (
	"slices"
	"time"
)

// tokenKind distinguishes what was issued; also the name in the tokens view.
type tokenKind string

const (
	kindAccess  tokenKind = "access"
	kindRefresh tokenKind = "refresh"
	kindCode    tokenKind = "code"
)

// client is a registered OAuth app. The secret is kept as a hash.
type client struct {
	ID           string   `json:"client_id"`
	SecretHash   string   `json:"secret_sha256"`
	Name         string   `json:"name,omitempty"`
	RedirectURIs []string `json:"redirect_uris"`
	Scopes       []string `json:"scopes,omitempty"`
	PublicKey    string   `json:"public_key,omitempty"`
}

// grant is one person's consent to one client.
type grant struct {
	ID        string    `json:"id"`
	ClientID  string    `json:"client_id"`
	Login     string    `json:"login"`
	Scopes    []string  `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Why       string    `json:"why,omitempty"` // why it ended
}

// token is an issued access or refresh token, known by its hash only.
type token struct {
	Hash      string    `json:"sha256"`
	Kind      tokenKind `json:"kind"`
	GrantID   string    `json:"grant_id"`
	Series    string    `json:"series,omitempty"`
	Turn      int       `json:"turn"` // how many rotations came before
	Scopes    []string  `json:"scopes"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	EndsAt    time.Time `json:"ends_at,omitzero"` // rotated or revoked from then on
	Why       string    `json:"why,omitempty"`    // rotated or revoked
}

// code is an authorization code, used at most once.
type code struct {
	client    string
	login     string
	redirect  string
	challenge string
	sets      []askedSet
	expires   time.Time
	used      bool
	grantID   string // what it was exchanged for
}

// askedSet is the scopes asked for one token series.
type askedSet struct {
	series string
	scopes []string
}

const (
	stateLive    = "live"
	stateExpired = "expired"
	stateRotated = "rotated"
	stateRevoked = "revoked"
)

// standing says whether a token works now, and if not why. The grant decides
// first: a revoked consent outranks expiry.
func (p *provider) standing(t *token) string {
	now := p.now()
	if g := p.grants[t.GrantID]; g == nil || !g.EndedAt.IsZero() {
		return stateRevoked
	}
	if !t.EndsAt.IsZero() && !now.Before(t.EndsAt) {
		return t.Why
	}
	if !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) {
		return stateExpired
	}
	return stateLive
}

// end makes a token stop working at a time; an earlier end stays.
func (t *token) end(at time.Time, why string) {
	if t.EndsAt.IsZero() || at.Before(t.EndsAt) {
		t.EndsAt, t.Why = at, why
	}
}

// endGrant kills a consent with everything issued under it.
func (p *provider) endGrant(id, why string) {
	if g := p.grants[id]; g != nil && g.EndedAt.IsZero() {
		g.EndedAt, g.Why = p.now(), why
	}
}

// endGrantsOf kills the live grants of a person, of one client if named, and
// returns how many there were.
func (p *provider) endGrantsOf(login, clientID, why string) int {
	n := 0
	for _, g := range p.grants {
		if g.Login == login && g.EndedAt.IsZero() && (clientID == "" || g.ClientID == clientID) {
			p.endGrant(g.ID, why)
			n++
		}
	}
	return n
}

// dropOldest enforces Settings.MaxGrants before a new consent is recorded.
func (p *provider) dropOldest(clientID, login string) {
	if p.set.MaxGrants <= 0 {
		return
	}
	var live []*grant
	for _, g := range p.grants {
		if g.Login == login && g.ClientID == clientID && g.EndedAt.IsZero() {
			live = append(live, g)
		}
	}
	slices.SortFunc(live, func(a, b *grant) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for len(live) >= p.set.MaxGrants {
		p.endGrant(live[0].ID, "too_many_grants")
		live = live[1:]
	}
}

// person finds somebody by login.
func (p *provider) person(login string) *Person {
	i := slices.IndexFunc(p.tr.people, func(x Person) bool { return x.Login == login })
	if i < 0 {
		return nil
	}
	return &p.tr.people[i]
}
