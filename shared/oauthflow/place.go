package oauthflow

import (
	"context"
	"crypto/subtle"
	"fmt"
	"maps"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
)

// Slots keeps the tokens of a connection that waits for a person's choice.
type Slots interface {
	Slot(ctx context.Context, ref connection.Ref, g uint64) (s connection.Slot, ok bool, err error)
	PutSlot(ctx context.Context, ref connection.Ref, s connection.Slot) error
	EraseSlots(ctx context.Context, ref connection.Ref, generation uint64) error
}

// Choice is what a person is asked after consent: which of the places that the account can reach a connection is for.
type Choice struct {
	// Step is the connector's request that found them.
	Step   int             `json:"step"`
	Places []catalog.Place `json:"places"`
	// By is the API key that confirmed.
	By string `json:"by,omitempty"`
}

// locate asks, from request i on, which place the connection is for, and adds what is captured to the tokens' metadata. It stops with a choice
// where only a person can tell.
func (f *Flow) locate(ctx context.Context, l Link, spec *catalog.Connector, res *connection.Tokens, i int) (*Choice, error) {
	if i >= spec.PostConnects() {
		return nil, nil
	}
	before, err := f.placeBefore(ctx, l)
	if err != nil {
		return nil, err
	}
	for ; i < spec.PostConnects(); i++ {
		body, err := f.places(ctx, spec, *res, i)
		if err != nil {
			return nil, err
		}
		all, err := spec.Places(i, body, res.Facts.Metadata, before)
		if err != nil {
			return nil, err
		}
		switch {
		case len(all) > 1 && l.Reconnect:
			return nil, elsewhere(spec)
		case len(all) > 1 && l.ID == "":
			return nil, fault.New(fault.Conflict, "this account can reach %d places at %s and an import cannot choose; connect it through a link", len(all), spec.Name).With("reason", "choice_needed")
		case len(all) > 1:
			return &Choice{Step: i, Places: all}, nil
		case spec.ChoosesAnew(i, before, all[0]):
			return nil, elsewhere(spec)
		}
		res.Facts.Metadata = all[0].Merge(res.Facts.Metadata)
	}
	return nil, nil
}

func elsewhere(spec *catalog.Connector) error {
	return fault.New(fault.Conflict, "this account does not lead to the place at %s that the connection is for; connect it as a new connection", spec.Name).With("reason", "account_mismatch")
}

// placeBefore is the metadata of the connection that must stay with its place; nil for a new one, or when another account may take over.
func (f *Flow) placeBefore(ctx context.Context, l Link) (map[string]string, error) {
	if !l.Reconnect || l.Change.Account {
		return nil, nil
	}
	c, err := f.Connections.Connection(ctx, connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection})
	return c.Metadata, err
}

func (f *Flow) places(ctx context.Context, spec *catalog.Connector, res connection.Tokens, i int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	req, err := spec.PostConnectRequest(i, res.Facts.Metadata)
	if err != nil {
		return nil, err
	}
	h, err := req.HTTP(ctx)
	if err != nil {
		return nil, err
	}
	egress.Authorize(h, req.Auth.Put, res.Access)
	got, err := f.Provider.Do(h)
	if err != nil {
		return nil, fmt.Errorf("ask the provider what the account can reach: %w", err)
	}
	if out := spec.ClassifyAPIResponse(got.Status, got.Header, got.Body); out.Kind != catalog.OutcomeOK {
		return nil, fault.New(fault.ProviderError, "%s did not say what this account can reach", spec.Name).With("provider_status", got.Status).With("reason", out.Reason)
	}
	return got.Body, nil
}

// parkTokens keeps tokens that wait for a choice in the pending connection's next slot, where a revocation finds them: nobody uses
// what is not active, and when nobody chooses, the connection ends like any other, at the provider too.
func (f *Flow) parkTokens(ctx context.Context, l Link, res connection.Tokens) error {
	ref := connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection}
	c, err := f.Connections.Connection(ctx, ref)
	if err != nil {
		return err
	}
	until := f.Now().Add(ParkTTL + redeemTTL)
	c, err = f.Siblings.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
		if x.Status != connection.Pending {
			return x, fault.New(fault.Conflict, "this connection is %s", x.Status).With("status_now", string(x.Status))
		}
		x.Choosing, x.Metadata, x.PendingUntil, x.Updated = true, res.Facts.Metadata, until, f.Now()
		return x, nil
	})
	if err != nil {
		return err
	}
	next := c
	next.Refresh.Generation++
	slot, err := f.sealTokens(ctx, next, res)
	if err != nil {
		return err
	}
	return f.Slots.PutSlot(ctx, ref, slot)
}

// unparkTokens opens what parkTokens kept.
func (f *Flow) unparkTokens(ctx context.Context, c connection.Connection) (connection.Tokens, error) {
	g := c.Refresh.Generation + 1
	slot, ok, err := f.Slots.Slot(ctx, c.Ref, g)
	if err == nil && (!ok || slot.Generation != g || slot.Access == nil || !c.Choosing || c.Status != connection.Pending) {
		err = fault.New(fault.Conflict, "what was connected is no longer there; ask for a new link").With("reason", "link_used")
	}
	if err != nil {
		return connection.Tokens{}, err
	}
	res := connection.Tokens{Facts: slot.Facts}
	if res.Access, err = f.Sealer.Open(ctx, c.Ref.Binding(connection.AccessToken, g), slot.Access); err != nil || slot.Refresh == nil {
		return res, err
	}
	res.Refresh, err = f.Sealer.Open(ctx, c.Ref.Binding(connection.RefreshToken, g), slot.Refresh)
	return res, err
}

// ask moves a link to the choice, and makes the address where the person is asked. The page opens in the browser that consented
// and in no other.
func (f *Flow) ask(ctx context.Context, l Link, c Choice) (string, error) {
	token := f.secretOf(l.Tenant)
	l.Status, l.Choice, l.ParkedUntil = LinkChoosing, &c, f.Now().Add(ParkTTL)
	if err := f.Lookup.PutLinkHash(ctx, l.Tenant, digest(token), l.ID, l.ParkedUntil); err != nil {
		return "", err
	}
	if _, err := f.Links.UpdateLink(ctx, l); err != nil {
		return "", err
	}
	return f.PublicURL + "/connect/" + token, nil
}

// Question is a choice for one browser.
type Question struct {
	Page
	Places []catalog.Place
	// Proof is what the form must bring back, beside the browser's cookie.
	Proof string
}

// Question is what the person at the browser with cookie is asked. It returns fault.Forbidden in any browser but the one that consented.
func (f *Flow) Question(p Page, cookie string) (Question, error) {
	if p.Link.Status != LinkChoosing || p.Link.Choice == nil {
		return Question{}, fault.New(fault.Conflict, "there is nothing to choose").With("reason", "link_used")
	}
	if !sameHash(p.Link.Browser, cookie) {
		return Question{}, fault.New(fault.Forbidden, "this page belongs to the browser that consented; finish there, or ask for a new link").With("reason", "other_browser")
	}
	return Question{Page: p, Places: p.Link.Choice.Places, Proof: proof(cookie, p.Link)}, nil
}

// Chosen is a form of the question that came back.
type Chosen struct {
	// Token is the question's public token.
	Token, Cookie, Proof, Place string
}

// Choose takes the choice and puts the connection in force. It returns where the browser goes next. A second click goes there
// too and changes nothing.
func (f *Flow) Choose(ctx context.Context, in Chosen) (string, error) {
	p, err := f.Show(ctx, in.Token)
	l := p.Link
	own := sameHash(l.Browser, in.Cookie) && subtle.ConstantTimeCompare([]byte(in.Proof), []byte(proof(in.Cookie, l))) == 1
	if err != nil {
		if own && (l.Status == LinkConfirmed || l.Status == LinkConfirming) {
			return l.back(), nil
		}
		return "", err
	}
	if !own || l.Choice == nil {
		f.audit(ctx, l, audit.LinkRefused, audit.Record{Reason: "other_browser"})
		return "", fault.New(fault.Forbidden, "this form was not sent from the page that this browser was shown; finish in the browser that consented").With("reason", "other_browser")
	}
	for _, place := range l.Choice.Places {
		if place.ID == in.Place {
			return f.settle(ctx, l, p.Connector, place)
		}
	}
	return "", fault.Invalid("choice", "choose one of the list")
}

func (f *Flow) settle(ctx context.Context, l Link, spec *catalog.Connector, place catalog.Place) (string, error) {
	suspended, err := f.Principals.Suspended(ctx, l.Scope)
	if err != nil {
		return "", err
	}
	if suspended {
		return "", fault.New(fault.Revoked, "the directory suspended this principal; nothing was connected")
	}
	choice := *l.Choice
	l.Status, l.Choice = LinkConfirming, nil
	taken, err := f.Links.UpdateLink(ctx, l)
	if err != nil {
		return "", used(err)
	}
	end, reason := LinkConfirmed, ""
	cerr := f.conclude(ctx, taken, spec, choice, place)
	if cerr != nil {
		end, reason = LinkFailed, failure(cerr)
		f.audit(ctx, l, audit.LinkRefused, audit.Record{Reason: "exchange_failed", Code: string(fault.From(cerr).Code), By: choice.By})
		f.dropNow(ctx, l)
	}
	browser := taken.Browser
	done, err := f.finish(ctx, taken, end, reason)
	if err != nil {
		f.Log.ErrorContext(ctx, "link not ended", "error", err)
	} else if end == LinkConfirmed { // so that a second click is known
		done.Browser = browser
		if _, err := f.Links.UpdateLink(ctx, done); err != nil {
			f.Log.WarnContext(ctx, "link not marked", "error", err)
		}
	}
	return done.back(), cerr
}

// conclude is what follows a choice: the rest of the requests, the account, the grant.
func (f *Flow) conclude(ctx context.Context, l Link, spec *catalog.Connector, choice Choice, place catalog.Place) error {
	c, err := f.Connections.Connection(ctx, connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection})
	if err != nil {
		return err
	}
	res, err := f.unparkTokens(ctx, c)
	if err != nil {
		return err
	}
	res.Facts.Metadata = place.Merge(res.Facts.Metadata)
	if _, err := f.locate(ctx, l, spec, &res, choice.Step+1); err != nil {
		return err
	}
	client, err := f.Clients.Client(ctx, l.ClientOwner, l.Connector)
	if err != nil {
		return err
	}
	a := activation{link: l, spec: spec, tokens: res, by: choice.By, confirmedBy: "saas_confirm"}
	if a.account, err = f.identify(ctx, spec, res); err != nil {
		return err
	}
	if a.old, err = f.owned(ctx, a); err != nil {
		return err
	}
	a.tokens.Facts.ExpiresAt = f.lifetime(ctx, spec, client, res)
	_, err = f.activate(ctx, a)
	return err
}

// dropNow has the sweep end a pending connection at once, and its tokens with it.
func (f *Flow) dropNow(ctx context.Context, l Link) {
	c, err := f.Connections.Connection(ctx, connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection})
	if err == nil {
		_, err = f.Siblings.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
			if x.Status == connection.Pending {
				x.PendingUntil = f.Now()
			}
			return x, nil
		})
	}
	if err != nil { // it ends by itself a little later
		f.Log.WarnContext(ctx, "pending connection not ended yet", "connection", l.Connection, "error", err)
	}
}

// captured is what the callbacks said, with meta from the latest.
func (l Link) captured(meta map[string]string) map[string]string {
	out := maps.Clone(l.Captured)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, meta)
	return out
}
