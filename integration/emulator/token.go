package emulator

import (
	"crypto/subtle"
	"net/url"
	"strings"
	"time"
)

// issued is one token set in clear, on its way into an answer.
type issued struct {
	series  string
	scopes  []string
	who     Person
	at      time.Time
	access  string
	refresh string // empty: keep the one you have, or there is none
	ttl     int    // seconds until the access token expires; 0: never
	refTTL  int    // seconds until the refresh token expires; 0: never
}

// answerToken handles a token endpoint request (RFC 6749 sections 4.1.3 and 6)
// and returns one token set per series, or why not.
func (c *call) answerToken() ([]issued, *refusal) {
	if c.repeated() {
		return nil, no(reasonRequest)
	}
	if why := c.authenticateClient(); why != nil {
		return nil, why
	}
	switch gt := c.bodyArg("grant_type"); {
	case gt == "refresh_token":
		return c.renew()
	case gt == "authorization_code", gt == "" && c.p.tr.grantTypeOptional:
		return c.exchange()
	}
	return nil, no(reasonGrantType)
}

// authenticateClient takes the secret from Basic or from the body, not both
// (RFC 6749 section 2.3), and compares hashes in constant time.
func (c *call) authenticateClient() *refusal {
	id, secret := c.bodyArg("client_id"), c.bodyArg("client_secret")
	if user, pass, ok := c.r.BasicAuth(); ok {
		basicID, err1 := url.QueryUnescape(user)
		basicSecret, err2 := url.QueryUnescape(pass)
		if secret != "" || err1 != nil || err2 != nil || (id != "" && id != basicID) {
			return no(reasonRequest)
		}
		id, secret = basicID, basicSecret
	}
	cl := c.p.clients[id]
	if cl == nil {
		return no(reasonClientID)
	}
	if subtle.ConstantTimeCompare([]byte(hashOf(secret)), []byte(cl.SecretHash)) != 1 {
		return no(reasonClientSecret)
	}
	c.client, c.given = cl, secret
	return nil
}

// exchange turns an authorization code into tokens. A code that comes a second
// time revokes what the first brought (RFC 6749 section 4.1.2).
func (c *call) exchange() ([]issued, *refusal) {
	cd := c.p.codes[hashOf(c.secret)]
	if c.secret == "" || cd == nil || cd.client != c.client.ID {
		return nil, no(reasonCode)
	}
	if cd.used {
		c.p.endGrant(cd.grantID, "code_reused")
		c.p.save()
		return nil, no(reasonCode)
	}
	// Used from here on, whatever follows: a code that somebody tried with a
	// wrong verifier must not be guessed at again.
	cd.used = true
	if !c.p.now().Before(cd.expires) {
		return nil, no(reasonCode)
	}
	if given := c.bodyArg("redirect_uri"); given != cd.redirect && (given != "" || c.p.tr.redirectRepeat) {
		return nil, no(reasonRedirect)
	}
	if !verifierFits(cd.challenge, c.bodyArg("code_verifier")) {
		return nil, no(reasonVerifier)
	}
	c.p.dropOldest(cd.client, cd.login)
	g := &grant{ID: c.p.mint().text(16), ClientID: cd.client, Login: cd.login, CreatedAt: c.p.now()}
	c.p.grants[g.ID], cd.grantID, c.grant = g, g.ID, g
	var sets []issued
	for _, s := range cd.sets {
		g.Scopes = append(g.Scopes, s.scopes...)
		sets = append(sets, c.p.issue(g, askedSet{s.series, s.scopes}, 0, true))
	}
	c.p.count.add(g.Login, func(n *Counters) { n.TokenExchanges++ })
	c.p.save()
	return sets, nil
}

// renew refreshes (RFC 6749 section 6) under the provider's rotation rule.
func (c *call) renew() ([]issued, *refusal) {
	old := c.token
	if old == nil || old.Kind != kindRefresh || c.grant.ClientID != c.client.ID {
		return nil, no(reasonRefresh)
	}
	switch c.p.standing(old) {
	case stateRevoked:
		return nil, no(reasonRefreshRevoked)
	case stateExpired:
		return nil, no(reasonRefreshExpired)
	case stateRotated:
		c.p.count.add(c.grant.Login, func(n *Counters) { n.RefreshReuses++ })
		if c.p.set.OnReuse == ReuseRevokes {
			c.p.endGrant(c.grant.ID, "refresh_token_reused")
			c.p.save()
		}
		return nil, no(reasonRefreshReused)
	}
	rotate := c.p.set.Rotation == RotationAlways
	until := c.p.now()
	if rotate {
		until = until.Add(seconds(c.p.set.RefreshGraceSeconds))
		old.end(until, stateRotated)
	}
	if c.p.tr.oldAccessDies {
		c.p.endOlderAccess(old, until, rotate)
	}
	set := c.p.issue(c.grant, askedSet{old.Series, old.Scopes}, old.Turn+1, rotate)
	if login, ok := strings.CutPrefix(string(c.fault.Mode), "as:"); ok && c.p.person(login) != nil {
		set.who = *c.p.person(login)
	}
	c.p.count.add(c.grant.Login, func(n *Counters) { n.Refreshes++ })
	c.p.save()
	return []issued{set}, nil
}

// endOlderAccess ends the access tokens that the refresh replaces. When the same
// refresh token is used twice within its grace, the tokens of the first use
// belong to a later turn and stay.
func (p *provider) endOlderAccess(old *token, until time.Time, rotate bool) {
	for _, t := range p.tokens {
		if t.Kind == kindAccess && t.GrantID == old.GrantID && t.Series == old.Series && (!rotate || t.Turn <= old.Turn) {
			t.end(until, stateRotated)
		}
	}
}

// issue mints and records a token set. withRefresh asks for a refresh token,
// which the provider may still not give.
func (p *provider) issue(g *grant, s askedSet, turn int, withRefresh bool) issued {
	who, now := *p.person(g.Login), p.now()
	out := issued{series: s.series, scopes: s.scopes, who: who, at: now, ttl: p.set.AccessTTLSeconds}
	put := func(kind tokenKind, ttl int) string {
		value := p.tr.shape(p.mint(), kind, s.series, who)
		t := &token{Hash: hashOf(value), Kind: kind, GrantID: g.ID, Series: s.series, Turn: turn, Scopes: s.scopes, IssuedAt: now}
		if ttl > 0 {
			t.ExpiresAt = now.Add(seconds(ttl))
		}
		p.tokens[t.Hash] = t
		return value
	}
	out.access = put(kindAccess, out.ttl)
	if withRefresh && p.givesRefresh(s.scopes) {
		out.refTTL = p.set.RefreshTTLSeconds
		out.refresh = put(kindRefresh, out.refTTL)
	}
	return out
}

// givesRefresh applies the provider's condition for a refresh token.
func (p *provider) givesRefresh(scopes []string) bool {
	if p.tr.refreshNeedsTTL && p.set.AccessTTLSeconds == 0 {
		return false
	}
	return len(p.tr.refreshScopes) == 0 || holdsAny(scopes, p.tr.refreshScopes)
}

// revoked counts a successful revocation call and keeps the state.
func (c *call) revoked() {
	c.p.count.add(c.login(), func(n *Counters) { n.Revocations++ })
	c.p.save()
}
