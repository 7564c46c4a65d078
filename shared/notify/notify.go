package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/webhook"
)

// Sealer opens and seals.
type Sealer interface {
	Seal(ctx context.Context, b connection.Binding, s secret.Text) ([]byte, error)
	Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error)
}

// Poster sends requests; it must be guarded, and must not follow redirects (package egress).
type Poster interface {
	Do(r *http.Request) (*http.Response, error)
}

// Publisher puts webhook events on the bus.
type Publisher interface {
	WebhookChanged(ctx context.Context, t events.Type, owner tenant.ID, endpoint, reason string) error
}

// Deps is what a Service works with, under one owner's credentials.
type Deps struct {
	Endpoints Endpoints
	Remover   Remover
	Trail     Trail
	Sealer    Sealer
	Poster    Poster
	Publisher Publisher
	Recorder  audit.Recorder
	Log       *slog.Logger
	Now       func() time.Time
	NewID     func(prefix string) string
	Jitter    func() float64
	// Random makes secrets; nil means crypto/rand.
	Random io.Reader
	// Public tells addresses of the Internet from others; Plain allows http and private addresses: the local stack.
	Public func(netip.Addr) bool
	Plain  bool
}

// Service manages endpoints and delivers to them.
type Service struct{ Deps }

// New returns a Service over d.
func New(d Deps) *Service {
	if d.Random == nil {
		d.Random = rand.Reader
	}
	return &Service{d}
}

// Request asks for a new endpoint.
type Request struct {
	Owner       tenant.ID
	URL         string
	Description string
	Events      []string
	// By is the API key that asks.
	By string
}

// Create stores a new endpoint and returns its secret, the only time that it leaves.
func (s *Service) Create(ctx context.Context, r Request) (Endpoint, secret.Text, error) {
	var none secret.Text
	if err := checkURL(r.URL, s.Plain, s.Public); err != nil {
		return Endpoint{}, none, err
	}
	if err := checkEvents(r.Events); err != nil {
		return Endpoint{}, none, err
	}
	if len(r.Description) > MaxText {
		return Endpoint{}, none, fault.Invalid("/description", "a description is at most %d bytes", MaxText)
	}
	all, err := s.Endpoints.Endpoints(ctx, r.Owner)
	if err != nil {
		return Endpoint{}, none, err
	}
	if len(all) >= MaxEndpoints {
		return Endpoint{}, none, fault.New(fault.Conflict, "there are %d webhooks already, which is the most; delete one first", len(all))
	}
	e := Endpoint{ID: s.NewID("wh"), Owner: r.Owner, URL: r.URL, Description: r.Description, Events: r.Events, Status: Active, Created: s.Now(), Updated: s.Now()}
	text, err := s.newSecret(ctx, &e)
	if err != nil {
		return e, none, err
	}
	if err := s.note(ctx, e, "created", r.By); err != nil {
		return e, none, err
	}
	return e, text, s.Endpoints.PutEndpoint(ctx, e)
}

// newSecret gives e a new secret, which replaces the newest one in Overlap.
func (s *Service) newSecret(ctx context.Context, e *Endpoint) (secret.Text, error) {
	raw, err := webhook.NewSecret(s.Random)
	if err != nil {
		return secret.Text{}, err
	}
	text := secret.FromString(raw)
	next := Secret{Number: 1}
	kept := []Secret{}
	if len(e.Secrets) > 0 {
		old := e.Secrets[0]
		old.Until, next.Number = s.Now().Add(Overlap), old.Number+1
		kept = append(kept, old)
	}
	if next.Sealed, err = s.Sealer.Seal(ctx, Binding(*e, next.Number), text); err != nil {
		return secret.Text{}, fmt.Errorf("seal the secret of %s: %w", e.ID, err)
	}
	e.Secrets = append([]Secret{next}, kept...)
	return text, nil
}

// Rotate gives an endpoint a new secret. The one before signs beside it for Overlap; one before that, not any more.
func (s *Service) Rotate(ctx context.Context, owner tenant.ID, id, by string) (Endpoint, secret.Text, error) {
	e, err := s.Endpoints.Endpoint(ctx, owner, id)
	if err != nil {
		return e, secret.Text{}, err
	}
	text, err := s.newSecret(ctx, &e)
	if err != nil {
		return e, text, err
	}
	e.Updated = s.Now()
	if err := s.note(ctx, e, "rotated", by); err != nil {
		return e, secret.Text{}, err
	}
	return e, text, s.Endpoints.PutEndpoint(ctx, e)
}

// Delete removes an endpoint; what is under way to it is dropped. fault.NotFound when there is none.
func (s *Service) Delete(ctx context.Context, owner tenant.ID, id, by string) error {
	e, err := s.Endpoints.Endpoint(ctx, owner, id)
	if err != nil {
		return err
	}
	if err := s.Remover.DeleteEndpoint(ctx, owner, id); err != nil {
		return err
	}
	return s.note(ctx, e, "deleted", by)
}

func (s *Service) note(ctx context.Context, e Endpoint, what, by string) error {
	err := s.Recorder.Record(ctx, audit.Record{ID: s.NewID("aud"), Kind: audit.WebhookChanged, Time: s.Now(), Tenant: e.Owner, Reason: what, By: by, Webhook: e.ID, Outcome: "succeeded"})
	if err != nil {
		return fmt.Errorf("record that %s was %s: %w", e.ID, what, err)
	}
	return nil
}

// update changes an endpoint as it is now; change is pure and reports whether there is anything to write.
func (s *Service) update(ctx context.Context, owner tenant.ID, id string, change func(*Endpoint) bool) (e Endpoint, changed bool, err error) {
	for range maxRaces {
		if e, err = s.Endpoints.Endpoint(ctx, owner, id); err != nil {
			return e, false, err
		}
		if !change(&e) {
			return e, false, nil
		}
		e.Updated = s.Now()
		if err = s.Endpoints.PutEndpoint(ctx, e); !fault.Is(err, fault.Conflict) {
			return e, err == nil, err
		}
	}
	return e, false, err
}

const maxRaces = 5

// text opens the secrets that sign now.
func (s *Service) secrets(ctx context.Context, e Endpoint) ([]string, error) {
	var out []string
	for _, x := range e.Secrets {
		if !x.Until.IsZero() && !s.Now().Before(x.Until) {
			continue
		}
		text, err := s.Sealer.Open(ctx, Binding(e, x.Number), x.Sealed)
		if err != nil {
			return nil, err
		}
		out = append(out, string(text.Reveal(reveal.Key{})))
	}
	return out, nil
}
