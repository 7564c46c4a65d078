package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/webhook"
)

// Select makes the messages of one event for those of endpoints that want it.
func Select(endpoints []Endpoint, t events.Type, head events.Head, data json.RawMessage, now time.Time) []events.WebhookWork {
	var out []events.WebhookWork
	for _, e := range endpoints {
		if e.Wants(t, tenant.ID(head.Tenant)) {
			out = append(out, events.WebhookWork{Owner: string(e.Owner), Endpoint: e.ID, Message: head.ID, Type: t, Time: head.Time, Data: data, Since: now})
		}
	}
	return out
}

// Result is what to do with a message now.
type Result struct {
	// Try is what happened; nil when nothing was sent, because the endpoint is gone or disabled.
	Try *Try
	// Again tells that the message comes again after Wait; Dead that it was tried for the last time.
	Again, Dead bool
	Wait        time.Duration
	// Disabled tells that this try disabled the endpoint.
	Disabled bool
}

// Deliver tries one message once. An error is a failure of our own side: nothing is known of the receiver, and the message must
// come again.
func (s *Service) Deliver(ctx context.Context, w events.WebhookWork) (Result, error) {
	owner := tenant.ID(w.Owner)
	e, err := s.Endpoints.Endpoint(ctx, owner, w.Endpoint)
	if fault.Is(err, fault.NotFound) || err == nil && e.Status != Active {
		return Result{}, nil
	}
	if err != nil {
		return Result{}, err
	}
	try, asked, err := s.post(ctx, e, w)
	if fault.Is(err, fault.NotFound) { // the tenant's keys were destroyed: there is nobody left to tell
		return Result{}, nil
	}
	if err != nil {
		return Result{}, err
	}
	r := Result{Try: &try}
	if try.Outcome == Failed {
		if r.Wait, r.Again = wait(s.Now().Sub(w.Since), asked, s.Jitter()); r.Again {
			try.Next = s.Now().Add(r.Wait)
		} else {
			try.Outcome, r.Dead = GivenUp, true
		}
	}
	if r.Disabled, err = s.settle(ctx, e, try); err != nil {
		return r, err
	}
	if r.Disabled {
		r = Result{Try: &try, Disabled: true}
		try.Outcome, try.Next = GivenUp, time.Time{}
	}
	return r, nil
}

// settle notes in the endpoint when failing began or ended, and disables it when it went on for too long. While all is well it
// writes nothing, so that a busy endpoint's row is not contended.
func (s *Service) settle(ctx context.Context, e Endpoint, try Try) (disabled bool, err error) {
	reason := ""
	switch {
	case try.Outcome == Delivered && e.FailingSince.IsZero():
		return false, nil
	case try.Outcome == Delivered:
		_, _, err = s.update(ctx, e.Owner, e.ID, func(x *Endpoint) bool {
			was := !x.FailingSince.IsZero()
			x.FailingSince = time.Time{}
			return was
		})
		return false, ignoreMissing(err)
	case try.Status == http.StatusGone:
		reason = ReasonGone
	case e.FailingSince.IsZero():
		_, _, err = s.update(ctx, e.Owner, e.ID, func(x *Endpoint) bool {
			was := x.FailingSince.IsZero()
			if was {
				x.FailingSince = try.At
			}
			return was
		})
		return false, ignoreMissing(err)
	case try.At.Sub(e.FailingSince) < DisableAfter:
		return false, nil
	default:
		reason = ReasonFailing
	}
	return s.disable(ctx, e, reason)
}

func ignoreMissing(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// disable stops an endpoint. A success in the meantime counts more than an old failure, so it looks again.
func (s *Service) disable(ctx context.Context, e Endpoint, reason string) (bool, error) {
	now, changed, err := s.update(ctx, e.Owner, e.ID, func(x *Endpoint) bool {
		if x.Status != Active || reason == ReasonFailing && (x.FailingSince.IsZero() || s.Now().Sub(x.FailingSince) < DisableAfter) {
			return false
		}
		x.Status, x.Reason = Disabled, reason
		return true
	})
	if err != nil || !changed {
		return now.Status == Disabled, ignoreMissing(err)
	}
	s.Log.ErrorContext(ctx, "webhook disabled", "webhook", e.ID, "reason", reason)
	if err := s.note(ctx, now, "disabled_"+reason, "notify"); err != nil {
		s.Log.ErrorContext(ctx, "webhook not audited", "webhook", e.ID, "error", err)
	}
	if err := s.Publisher.WebhookChanged(ctx, events.WebhookDisabled, e.Owner, e.ID, reason); err != nil {
		s.Log.ErrorContext(ctx, "event not published", "webhook", e.ID, "error", err)
	}
	return true, nil
}

// Test sends webhook.test to an endpoint now, whatever it is subscribed to. When it is delivered, a disabled endpoint is enabled
// again. fault.NotFound.
func (s *Service) Test(ctx context.Context, owner tenant.ID, id, by string) (Endpoint, Try, error) {
	e, err := s.Endpoints.Endpoint(ctx, owner, id)
	if err != nil {
		return e, Try{}, err
	}
	head := events.Head{ID: s.NewID("evt"), Version: events.Version, Tenant: string(owner), Time: s.Now().UTC()}
	data, err := json.Marshal(events.Webhook{Head: head, Endpoint: id})
	if err != nil {
		return e, Try{}, fmt.Errorf("encode the test: %w", err)
	}
	try, _, err := s.post(ctx, e, events.WebhookWork{Message: head.ID, Type: events.WebhookTest, Time: head.Time, Data: data})
	if err != nil {
		return e, try, err
	}
	if try.Outcome == Failed {
		try.Outcome = GivenUp // a test is not repeated
		return e, try, nil
	}
	now, changed, err := s.update(ctx, owner, id, func(x *Endpoint) bool {
		was := x.Status != Active || !x.FailingSince.IsZero()
		x.Status, x.Reason, x.FailingSince = Active, "", time.Time{}
		return was
	})
	if err == nil && changed && e.Status == Disabled {
		err = s.note(ctx, now, "enabled", by)
	}
	return now, try, err
}

// payload is the body of a webhook (Standard Webhooks, "Payload structure").
type payload struct {
	Type      events.Type     `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// post sends one webhook and reads how it went; asked is how long the receiver asked to be left alone.
func (s *Service) post(ctx context.Context, e Endpoint, w events.WebhookWork) (try Try, asked time.Duration, err error) {
	body, err := json.Marshal(payload{w.Type, w.Time, w.Data})
	if err != nil {
		return try, 0, fmt.Errorf("encode %s: %w", w.Message, err)
	}
	secrets, err := s.secrets(ctx, e)
	if err != nil {
		return try, 0, fmt.Errorf("open the secret of %s: %w", e.ID, err)
	}
	start := s.Now()
	try = Try{Message: w.Message, Event: w.Type, At: start, Outcome: Failed}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return try, 0, fmt.Errorf("address %s: %w", e.ID, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Behalf-Webhooks/1")
	if err := webhook.Sign(r.Header, w.Message, start, body, secrets...); err != nil {
		return try, 0, fmt.Errorf("sign %s: %w", w.Message, err)
	}
	res, err := s.Poster.Do(r)
	if err != nil {
		try.Reason, try.Took = reasonOf(err), s.Now().Sub(start)
		return try, 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // lets the connection be used again; what it says does not matter
	try.Status, try.Took = res.StatusCode, s.Now().Sub(start)
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		try.Outcome = Delivered
		return try, 0, nil
	}
	try.Reason = "http_" + strconv.Itoa(res.StatusCode)
	return try, retryAfter(res, s.Now()), nil
}

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 4 << 10

// reasonOf names a failure without repeating the error, which holds the URL.
func reasonOf(err error) string {
	var guard *fault.Error
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &guard):
		return "egress_refused"
	case errors.As(err, &certificate):
		return "tls"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout():
		return "timeout"
	}
	return "unreachable"
}
