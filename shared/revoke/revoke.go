// Package revoke ends connections at the provider, and says what the provider answered.
//
// Ending a connection here and ending it there are two steps. The first is a status, written by whoever decided
// (an administrator, the directory): from then on no execution starts. The second, in this package, tells the provider
// and may have to be tried again; only when it is done, or given up, are the sealed tokens erased. A grant that other
// live connections share at the provider is not killed with the first of them.
package revoke

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// Connections is the store's view of connections.
type Connections interface {
	Connection(ctx context.Context, ref connection.Ref) (connection.Connection, error)
	UpdateConnection(ctx context.Context, c connection.Connection, change func(connection.Connection) (connection.Connection, error)) (connection.Connection, error)
	// ConnectionsOf lists all connections of a principal.
	ConnectionsOf(ctx context.Context, s tenant.Scope) ([]connection.Connection, error)
}

// Slots is the store's view of sealed tokens.
type Slots interface {
	Slot(ctx context.Context, ref connection.Ref, g uint64) (s connection.Slot, ok bool, err error)
	// EraseSlots destroys the tokens of both slots for good.
	EraseSlots(ctx context.Context, ref connection.Ref, generation uint64) error
}

// Sealer opens tokens.
type Sealer interface {
	Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error)
}

// Clients finds OAuth clients.
type Clients interface {
	Client(ctx context.Context, owner tenant.ID, connector string) (connection.Client, error)
}

// Provider sends requests out.
type Provider interface {
	Do(r *http.Request) (egress.Response, error)
}

// Events tells the adopter.
type Events interface {
	ConnectionChanged(ctx context.Context, kind audit.Kind, c connection.Connection) error
}

// Deps is what a Revoker works with, under one tenant's credentials.
type Deps struct {
	Connections Connections
	Slots       Slots
	Sealer      Sealer
	Clients     Clients
	Provider    Provider
	Recorder    audit.Recorder
	Events      Events
	Connector   func(id string) (*catalog.Connector, error)
	Log         *slog.Logger
	Now         func() time.Time
	NewID       func(prefix string) string
}

// Revoker tells providers.
type Revoker struct{ Deps }

// New returns a Revoker over d.
func New(d Deps) *Revoker { return &Revoker{d} }

// The answers in connection.Revocation.Provider.
const (
	Done        = "revoked"
	Unsupported = "unsupported"       // the provider has no way; the user can remove the grant there
	Shared      = "kept_shared_grant" // other live connections depend on the same grant
	Nothing     = "nothing_to_revoke"
	Failed      = "failed" // given up; the tokens are erased here
	Pending     = "pending"
)

// callTimeout bounds one revocation request.
const callTimeout = 10 * time.Second

// Finish tells the provider about a connection that is revoked here, and erases its tokens. Doing it twice is harmless.
// When the provider cannot be told now, it returns an error that is worth a retry; with last set it gives up instead,
// erases the tokens and reports the failure. A connection that is not revoked is left alone: fault.Conflict.
func (r *Revoker) Finish(ctx context.Context, ref connection.Ref, last bool) (connection.Connection, error) {
	c, err := r.Connections.Connection(ctx, ref)
	if err != nil {
		return c, err
	}
	if c.Status != connection.Revoked {
		return c, fault.New(fault.Conflict, "connection %s is %s, not revoked", c.ID, c.Status)
	}
	if c.Revocation.Erased {
		return c, nil
	}
	provider, answer, told, err := r.tell(ctx, c)
	if err == nil { // a refresh under way may have stored its tokens while we spoke
		provider, answer, err = r.latecomer(ctx, c, told, provider, answer)
	}
	if err != nil && !last {
		return r.postpone(ctx, c, err)
	}
	if err != nil {
		provider, answer = Failed, publicText(err)
	}
	if err := r.Slots.EraseSlots(ctx, ref, c.Refresh.Generation); err != nil {
		return c, fmt.Errorf("erase the tokens of %s: %w", c.ID, err)
	}
	mine := false
	done, err := r.Connections.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
		if mine = !overtaken(x.Revocation, provider); mine {
			x.Revocation.Provider, x.Revocation.Answer, x.Revocation.Erased = provider, answer, true
			x.Revocation.Attempts++
		}
		return x, nil
	})
	if err != nil || !mine {
		return done, err
	}
	return done, r.report(ctx, done)
}

// overtaken reports that somebody else, who works on the same connection at the same time, has the better answer: who comes
// second finds no tokens, and must not write over what the provider said to the first.
func overtaken(there connection.Revocation, provider string) bool {
	return there.Erased && (provider == Nothing || there.Provider != Nothing)
}

// postpone notes a failed attempt and returns err, for the queue to try again.
func (r *Revoker) postpone(ctx context.Context, c connection.Connection, err error) (connection.Connection, error) {
	after, uerr := r.Connections.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
		x.Revocation.Provider, x.Revocation.Answer = Pending, publicText(err)
		x.Revocation.Attempts++
		return x, nil
	})
	if uerr != nil {
		return c, errors.Join(err, uerr)
	}
	return after, err
}

func publicText(err error) string { return fault.From(err).Message }

// report records what the provider answered.
func (r *Revoker) report(ctx context.Context, c connection.Connection) error {
	outcome := "succeeded"
	if c.Revocation.Provider == Failed {
		outcome = "failed"
	}
	err := r.Recorder.Record(ctx, audit.Record{ID: r.NewID("aud"), Kind: audit.ProviderRevocation, Time: r.Now(), Tenant: c.Tenant, Principal: string(c.Principal), Connector: c.Connector,
		Connection: string(c.Shown()), Grant: string(c.Grant), Outcome: outcome, Reason: c.Revocation.Provider, DurationMS: r.Now().Sub(c.Revocation.At).Milliseconds(), By: "revoke"})
	if err != nil {
		return fmt.Errorf("record the revocation of %s: %w", c.ID, err)
	}
	if err := r.Events.ConnectionChanged(ctx, audit.ProviderRevocation, c); err != nil {
		r.Log.ErrorContext(ctx, "event not published", "connection", c.ID, "error", err)
	}
	return nil
}

// tell makes the revocation requests: first about the tokens of a refresh that stored them and did not get to make them
// current, then about the current ones. It returns how the provider answered about the newest, and their generation; or
// an error worth a retry.
func (r *Revoker) tell(ctx context.Context, c connection.Connection) (provider, answer string, newest uint64, err error) {
	provider = Nothing
	for _, g := range []uint64{c.Refresh.Generation + 1, c.Refresh.Generation} {
		slot, ok, err := r.Slots.Slot(ctx, c.Ref, g)
		if err != nil {
			return "", "", 0, err
		}
		if !ok || slot.Generation != g || slot.Access == nil {
			continue
		}
		if newest > 0 && !slot.Facts.ExpiresAt.IsZero() && !r.Now().Before(slot.Facts.ExpiresAt) {
			continue // dead by itself, and some providers let only a live token end itself
		}
		p, a, err := r.about(ctx, c, slot)
		if err != nil {
			return "", "", 0, err
		}
		if newest == 0 {
			provider, answer, newest = p, a, g
		}
	}
	return provider, answer, newest, nil
}

// latecomer tells the provider about tokens that appeared after told was.
func (r *Revoker) latecomer(ctx context.Context, c connection.Connection, told uint64, provider, answer string) (string, string, error) {
	next := c.Refresh.Generation + 1
	if told == next {
		return provider, answer, nil
	}
	slot, ok, err := r.Slots.Slot(ctx, c.Ref, next)
	if err != nil || !ok || slot.Generation != next || slot.Access == nil {
		return provider, answer, err
	}
	return r.about(ctx, c, slot)
}

// Retire tells the provider about tokens that a refresh got for a connection that is revoked by now; they are nowhere
// else. An error is worth a retry.
func (r *Revoker) Retire(ctx context.Context, c connection.Connection, slot connection.Slot) error {
	if c.Status != connection.Revoked {
		return fault.New(fault.Conflict, "connection %s is %s, not revoked", c.ID, c.Status)
	}
	if slot.Access == nil {
		return nil
	}
	provider, answer, err := r.about(ctx, c, slot)
	if err == nil {
		r.Log.InfoContext(ctx, "tokens that came after the revocation", "connection", c.ID, "provider", provider, "answer", answer)
	}
	return err
}

// about makes one revocation request.
func (r *Revoker) about(ctx context.Context, c connection.Connection, slot connection.Slot) (provider, answer string, err error) {
	spec, err := r.Connector(c.Connector)
	if fault.Is(err, fault.NotFound) {
		return Unsupported, "the connector is no longer installed", nil
	}
	if err != nil {
		return "", "", err
	}
	client, err := r.Clients.Client(ctx, c.ClientOwner, c.Connector)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", "", err
	}
	call, ok, err := spec.RevokeRequest(catalog.WithAccount(c.Metadata, c.Account.ID), client.ID)
	if err != nil {
		return "", "", err
	}
	if !ok {
		return Unsupported, byHand(spec), nil
	}
	if call.BlastRadius != catalog.BlastToken {
		if n, err := r.sharing(ctx, c); err != nil || n > 0 {
			return Shared, fmt.Sprintf("%d other live connections use the same grant at %s", n, spec.Name), err
		}
	}
	return r.ask(ctx, c, spec, call, client, slot)
}

// sharing counts live connections of the same principal to the same account through the same client.
func (r *Revoker) sharing(ctx context.Context, c connection.Connection) (int, error) {
	all, err := r.Connections.ConnectionsOf(ctx, c.Scope)
	n := 0
	for _, o := range all {
		if o.ID == c.ID || o.ID == c.Main || o.Part() || o.Connector != c.Connector || o.Status == connection.Revoked || o.Refresh.Generation == 0 || o.ClientOwner != c.ClientOwner {
			continue
		}
		if c.Account.ID == "" || o.Account.ID == c.Account.ID { // an account that nobody knows yet may be any
			n++
		}
	}
	return n, err
}

// ask makes the request, or one about each token.
func (r *Revoker) ask(ctx context.Context, c connection.Connection, spec *catalog.Connector, call catalog.RevokeSpec, client connection.Client, slot connection.Slot) (provider, answer string, err error) {
	access, err := r.Sealer.Open(ctx, c.Ref.Binding(connection.AccessToken, slot.Generation), slot.Access)
	if err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var said []string
	for _, kind := range call.Kinds(slot.Refresh != nil) {
		about := access
		if kind == catalog.TokenRefresh {
			if about, err = r.Sealer.Open(ctx, c.Ref.Binding(connection.RefreshToken, slot.Generation), slot.Refresh); err != nil {
				return "", "", err
			}
		}
		summary, err := r.once(ctx, spec, call, client, access, about)
		if err != nil {
			return "", "", err
		}
		said = append(said, summary)
	}
	if left := call.LivesOn(slot.Refresh != nil); left != "" {
		said = append(said, left)
	}
	return Done, strings.Join(said, "; "), nil
}

// once makes one request about one token.
func (r *Revoker) once(ctx context.Context, spec *catalog.Connector, call catalog.RevokeSpec, client connection.Client, access, about secret.Text) (string, error) {
	req, err := call.HTTP(ctx, spec.APIAuth, client.Secret.Reveal(reveal.Key{}), access.Reveal(reveal.Key{}), about.Reveal(reveal.Key{}))
	if err != nil {
		return "", err
	}
	res, err := r.Provider.Do(req)
	if err != nil {
		return "", err
	}
	ok, summary := spec.ParseRevoke(res.Status, res.Header, res.Body)
	if !ok {
		return "", fault.New(fault.ProviderError, "%s did not confirm the revocation: %s", spec.Name, summary).With("provider_status", res.Status)
	}
	return summary, nil
}

// byHand says how the access is removed where nobody can be told.
func byHand(spec *catalog.Connector) string {
	text, at := spec.Manual()
	if text == "" {
		return spec.Name + " offers no revocation; the user can remove the access in the account's settings there"
	}
	return strings.TrimSpace(text + " " + at)
}
