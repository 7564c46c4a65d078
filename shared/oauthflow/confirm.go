package oauthflow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// Status reads a link for the back end that made it.
func (f *Flow) Status(ctx context.Context, t tenant.ID, id string) (Link, error) {
	return f.Links.Link(ctx, t, id)
}

// Confirmed is a connection that is active; or pending, with the page where the person chooses what it is for.
type Confirmed struct {
	connection.Connection
	// ChooseURL is where to send the person's browser next; empty when the connection is active.
	ChooseURL string
}

// Confirm is the SaaS saying who is signed in at its own end. Only the principal that the link was made for activates
// the connection; anybody else ends the link, and the parked code with it, unredeemed.
func (f *Flow) Confirm(ctx context.Context, l Link, principal tenant.Principal, by string) (Confirmed, error) {
	var none Confirmed
	if err := f.confirmable(l); err != nil {
		return none, err
	}
	if principal != l.Principal {
		if _, err := f.finish(ctx, l, LinkMismatch, "user_mismatch"); err != nil {
			return none, err
		}
		f.audit(ctx, l, audit.LinkRefused, audit.Record{Reason: "user_mismatch", By: by})
		f.tell(ctx, l, events.LinkUserMismatch, "user_mismatch")
		return none, fault.New(fault.Forbidden, "the person who consented is not the principal this link was made for; nothing was connected").With("reason", "user_mismatch")
	}
	suspended, err := f.Principals.Suspended(ctx, l.Scope)
	if err != nil {
		return none, err
	}
	if suspended {
		return none, fault.New(fault.Revoked, "the directory suspended this principal; nothing was connected")
	}
	parked, err := f.unpark(ctx, l)
	if err != nil {
		return none, err
	}
	// The link is used up before the code is: a code must never be sent twice.
	done, err := f.finish(ctx, l, LinkConfirming, "")
	if err != nil {
		return none, used(err)
	}
	c, choice, err := f.redeem(ctx, done, parked, by)
	if err == nil && choice != nil {
		out := Confirmed{Connection: c}
		if out.ChooseURL, err = f.ask(ctx, done, *choice); err == nil {
			return out, nil
		}
		f.dropNow(ctx, done)
	}
	end, reason := LinkConfirmed, ""
	if err != nil {
		end, reason = LinkFailed, failure(err)
	}
	if _, ferr := f.finish(ctx, done, end, reason); ferr != nil { // what became of the connection is what counts
		f.Log.ErrorContext(ctx, "link not ended", "error", ferr)
	}
	if err != nil {
		f.audit(ctx, l, audit.LinkRefused, audit.Record{Reason: "exchange_failed", Code: string(fault.From(err).Code), By: by})
	}
	return Confirmed{Connection: c}, err
}

// failure is the reason that a failed link shows: ours where there is one, the fault's code otherwise.
func failure(err error) string {
	e := fault.From(err)
	if reason := fmt.Sprint(e.Detail["reason"]); reason == "credential_rejected" || reason == "account_mismatch" {
		return reason
	}
	return string(e.Code)
}

func (f *Flow) confirmable(l Link) error {
	if l.Status == LinkConsented && !f.Now().Before(l.ParkedUntil) {
		return fault.New(fault.NotFound, "the consent was not confirmed within %d minutes and was dropped; make a new link", int(ParkTTL.Minutes())).With("reason", "link_expired")
	}
	if l.Status == LinkOpen || l.Status == LinkStarted {
		if err := l.live(f.Now(), LinkOpen, LinkStarted); err != nil {
			return err
		}
		return fault.New(fault.Conflict, "nobody has consented through this link yet").With("link_status", string(l.Status))
	}
	if l.Status != LinkConsented {
		return fault.New(fault.Conflict, "this link has ended (%s); make a new one", l.Status).With("link_status", string(l.Status)).With("reason", "link_used")
	}
	return nil
}

// redeem makes tokens of what was parked and puts the grant in force, unless a person has to choose first. Tokens that come
// to nothing are given back.
func (f *Flow) redeem(ctx context.Context, l Link, parked unparked, by string) (connection.Connection, *Choice, error) {
	var none connection.Connection
	spec, err := f.Connector(l.Connector)
	if err != nil {
		return none, nil, err
	}
	client, err := f.Clients.Client(ctx, l.ClientOwner, l.Connector)
	if err != nil {
		return none, nil, err
	}
	res, err := f.obtain(ctx, l, spec, client, parked)
	var choice *Choice
	once, cancel := context.WithTimeout(ctx, identifyTimeout) // for places and account together
	defer cancel()
	if err == nil {
		choice, err = f.locate(once, l, spec, &res, 0)
	}
	if err == nil && choice != nil {
		choice.By = by
		if err = f.parkTokens(ctx, l, res); err == nil {
			c, err := f.Connections.Connection(ctx, connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection})
			return c, choice, err
		}
	}
	a := activation{link: l, spec: spec, tokens: res, by: by, confirmedBy: "saas_confirm"}
	if err == nil {
		a.account, err = f.identify(once, spec, res)
	}
	if err == nil {
		a.old, err = f.owned(ctx, a)
	}
	if err != nil {
		f.discard(ctx, l, spec, client, res)
		return none, nil, err
	}
	a.tokens.Facts.ExpiresAt = f.lifetime(ctx, spec, client, res)
	c, err := f.activate(ctx, a)
	return c, nil, err
}

// obtain redeems a code, or proves a form.
func (f *Flow) obtain(ctx context.Context, l Link, spec *catalog.Connector, client connection.Client, p unparked) (connection.Tokens, error) {
	if spec.Mode != catalog.ModeOAuth2 {
		return f.prove(ctx, spec, client, p.seed)
	}
	if spec.PKCE == catalog.PKCENever {
		p.verifier = secret.Text{}
	}
	res, err := f.Endpoint.Exchange(context.WithoutCancel(ctx), spec, client, connection.Redemption{Code: p.code, Verifier: p.verifier, RedirectURI: f.redirectURI(l), Metadata: l.metadata()})
	if err == nil {
		err = spec.CheckTokenSets(slices.Collect(maps.Keys(res.Sets)))
	}
	if all := spec.Keep(l.metadata(), f.redirectURI(l)); len(all) > 0 { // tokens that are given back need it, too
		maps.Copy(all, res.Facts.Metadata)
		res.Facts.Metadata = all
	}
	return res, err
}

// owned is the connection that a link is for; fault.Conflict when what was just connected may not replace what it has.
func (f *Flow) owned(ctx context.Context, a activation) (connection.Connection, error) {
	old, err := f.Connections.Connection(ctx, connection.Ref{Scope: a.link.Scope, Connector: a.link.Connector, ID: a.link.Connection})
	if err != nil {
		return old, err
	}
	return old, a.link.mayReplace(old, a.account, a.granted(), a.spec)
}

// activation is all that goes into a grant.
type activation struct {
	link    Link
	spec    *catalog.Connector
	tokens  connection.Tokens
	account connection.Account
	// old is the connection before.
	old connection.Connection
	// by is the API key that asked, confirmedBy how it is known who consented.
	by, confirmedBy string
}

// granted are the scopes that the provider gave.
func (a activation) granted() []string {
	if a.tokens.Facts.Scopes == nil { // RFC 6749, section 5.1: left out means as asked
		return a.link.Scopes
	}
	return a.tokens.Facts.Scopes
}

// activate stores tokens, grant and connection at once.
func (f *Flow) activate(ctx context.Context, a activation) (connection.Connection, error) {
	l, spec, res, account, old := a.link, a.spec, a.tokens, a.account, a.old
	var err error
	granted := a.granted()
	if !l.Reconnect {
		if old, err = f.merge(ctx, old, granted, account, spec); err != nil {
			return old, err
		}
	}
	now := f.Now()
	g := connection.Grant{ID: connection.GrantID(f.NewID("grant")), Connection: old.ID, ConfirmedBy: a.confirmedBy, Link: l.mark(), ScopesRequested: l.Scopes,
		ScopesGranted: granted, Account: account, ClientOwner: l.ClientOwner, ClientID: l.ClientID, At: now}
	next, err := old.Activate(connection.Activated{Grant: g, Metadata: res.Facts.Metadata, ExpiresAt: res.Facts.ExpiresAt, RefreshExpiresAt: res.Facts.RefreshExpiresAt,
		DueAt: connection.DueAt(now, res.Facts.ExpiresAt, time.Duration(spec.Rotation.KeepAliveSeconds)*time.Second, f.Jitter())}, now)
	if err != nil {
		return old, err
	}
	slot, err := f.sealTokens(ctx, next, res)
	if err != nil {
		return old, err
	}
	next, parts, err := f.parts(ctx, a, next, g)
	if err != nil {
		return old, err
	}
	// The grant's record comes first: an authorisation that is not on record must not be in force.
	l.Connection = next.ID
	if err := f.record(ctx, l, audit.GrantCreated, audit.Record{Grant: string(g.ID), Scopes: g.ScopesGranted, By: a.by, Outcome: "succeeded"}); err != nil {
		return old, err
	}
	if a.replaces() {
		err = f.replace(ctx, a, next, slot, g, parts...)
	} else {
		err = f.Connections.Activate(ctx, next, slot, g, parts...)
	}
	if err != nil {
		return old, err
	}
	if err := f.Events.ConnectionChanged(ctx, audit.GrantCreated, next); err != nil {
		f.Log.ErrorContext(ctx, "event not published", "connection", next.ID, "error", err)
	}
	return next, nil
}

// merge looks for a connection of the principal to the same account: connecting it once more renews that one, and the
// pending one is dropped. A consent that is narrower than what the older one has stays a connection of its own, since it
// must not replace a wider grant unasked; scopes that the connector says imply others count as those too.
func (f *Flow) merge(ctx context.Context, pending connection.Connection, granted []string, account connection.Account, spec *catalog.Connector) (connection.Connection, error) {
	all, err := f.Siblings.ConnectionsOf(ctx, pending.Scope)
	if err != nil {
		return pending, err
	}
	for _, c := range all {
		same := c.ID != pending.ID && !c.Part() && c.Connector == pending.Connector && c.Account.ID == account.ID && c.Account.TenantID == account.TenantID
		if !same || account.ID == "" || c.Status == connection.Revoked || len(spec.Scopes.Missing(granted, c.Scopes)) > 0 {
			continue
		}
		waiting := pending.Choosing
		_, err := f.Siblings.UpdateConnection(ctx, pending, func(x connection.Connection) (connection.Connection, error) {
			x.Choosing = false // its tokens move on, so the provider has nothing to hear
			return x.Revoke("merged_into_"+string(c.ID), f.Now()), nil
		})
		if err == nil && waiting {
			err = f.Slots.EraseSlots(ctx, pending.Ref, pending.Refresh.Generation)
		}
		return c, err
	}
	return pending, nil
}

func (f *Flow) sealTokens(ctx context.Context, c connection.Connection, res connection.Tokens) (connection.Slot, error) {
	s := connection.Slot{Generation: c.Refresh.Generation, Fence: c.Refresh.Fence, Facts: res.Facts}
	var err error
	if s.Access, err = f.Sealer.Seal(ctx, c.Ref.Binding(connection.AccessToken, s.Generation), res.Access); err != nil {
		return s, err
	}
	if !res.Refresh.IsZero() {
		s.Refresh, err = f.Sealer.Seal(ctx, c.Ref.Binding(connection.RefreshToken, s.Generation), res.Refresh)
	}
	return s, err
}
