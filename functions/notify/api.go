package notify

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

func (f *Function) routes() map[string]apigw.KeyHandler {
	return map[string]apigw.KeyHandler{
		"POST /v1/webhooks":                  f.create,
		"GET /v1/webhooks":                   f.list,
		"GET /v1/webhooks/{webhook}":         f.get,
		"DELETE /v1/webhooks/{webhook}":      f.remove,
		"POST /v1/webhooks/{webhook}/test":   f.test,
		"POST /v1/webhooks/{webhook}/rotate": f.rotate,
	}
}

// webhookView is an endpoint as it is shown: never its secret.
type webhookView struct {
	ID           string        `json:"id"`
	Tenant       string        `json:"tenant,omitempty"`
	URL          string        `json:"url"`
	Description  string        `json:"description,omitempty"`
	Events       []string      `json:"events"`
	Status       notify.Status `json:"status"`
	Reason       string        `json:"reason,omitempty"`
	FailingSince time.Time     `json:"failing_since,omitzero"`
	Created      time.Time     `json:"created_at"`
	Updated      time.Time     `json:"updated_at"`
	// OldSecretUntil is when the secret before the last rotation stops to sign.
	OldSecretUntil time.Time `json:"old_secret_until,omitzero"`
}

func view(e notify.Endpoint, now time.Time) webhookView {
	v := webhookView{ID: e.ID, URL: e.URL, Description: e.Description, Events: e.Events, Status: e.Status, Reason: e.Reason,
		FailingSince: utc(e.FailingSince), Created: e.Created.UTC(), Updated: e.Updated.UTC()}
	if e.Owner != tenant.Deployment {
		v.Tenant = string(e.Owner)
	}
	if len(e.Secrets) > 1 && now.Before(e.Secrets[1].Until) {
		v.OldSecretUntil = utc(e.Secrets[1].Until)
	}
	return v
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// secretView is an endpoint with its secret, the only time that it leaves.
type secretView struct {
	webhookView
	Secret string `json:"secret"`
}

func shownOnce(status int, e notify.Endpoint, text secret.Text, now time.Time) (*apigw.Response, error) {
	return apigw.JSON(status, secretView{view(e, now), string(text.Reveal(reveal.Key{}))})
}

// deliveryView is one try; no body, neither of the request nor of the answer.
type deliveryView struct {
	Message    string         `json:"message_id"`
	Event      string         `json:"event"`
	Time       time.Time      `json:"time"`
	Outcome    notify.Outcome `json:"outcome"`
	Status     int            `json:"http_status,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	DurationMS int64          `json:"duration_ms"`
	RetryAt    time.Time      `json:"retry_at,omitzero"`
}

func delivery(t notify.Try) deliveryView {
	return deliveryView{t.Message, string(t.Event), t.At.UTC(), t.Outcome, t.Status, t.Reason, t.Took.Milliseconds(), utc(t.Next)}
}

// owned is the service for whoever a request is about: the tenant that it names, else the tenant that the key is limited to, else
// the whole deployment.
func (f *Function) owned(ctx context.Context, by authn.Caller, field, named string) (*notify.Service, tenant.ID, error) {
	owner := by.Tenant
	if named != "" {
		t, err := tenant.Parse(field, named)
		if err != nil {
			return nil, "", err
		}
		if err := by.MayTouch(t); err != nil {
			return nil, "", err
		}
		owner = t
	}
	s, db, err := f.service(ctx, owner)
	if err == nil && owner != tenant.Deployment {
		_, err = db.LiveTenant(ctx, owner)
	}
	return s, owner, err
}

type createBody struct {
	URL         string   `json:"url"`
	Events      []string `json:"events"`
	Description string   `json:"description"`
	Tenant      string   `json:"tenant"`
}

func (f *Function) create(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b createBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	s, owner, err := f.owned(ctx, by, "/tenant", b.Tenant)
	if err != nil {
		return nil, err
	}
	e, text, err := s.Create(ctx, notify.Request{Owner: owner, URL: b.URL, Description: b.Description, Events: b.Events, By: by.KeyID})
	if err != nil {
		return nil, err
	}
	f.worker.none.forget(owner)
	return shownOnce(http.StatusCreated, e, text, f.deps.Now())
}

func (f *Function) list(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("tenant"); err != nil {
		return nil, err
	}
	s, owner, err := f.owned(ctx, by, "tenant", r.Query().Get("tenant"))
	if err != nil {
		return nil, err
	}
	all, err := s.Endpoints.Endpoints(ctx, owner)
	if err != nil {
		return nil, err
	}
	out := []webhookView{}
	for _, e := range all {
		out = append(out, view(e, f.deps.Now()))
	}
	return apigw.JSON(http.StatusOK, map[string]any{"webhooks": out})
}

var idGrammar = regexp.MustCompile(`^wh_[0-9a-hjkmnp-tv-z]{26}$`)

// named is the endpoint that the path names.
func (f *Function) named(ctx context.Context, r *apigw.Request, by authn.Caller) (*notify.Service, tenant.ID, string, error) {
	id, err := r.Path("webhook")
	if err != nil {
		return nil, "", "", err
	}
	if !idGrammar.MatchString(id) {
		return nil, "", "", fault.Invalid("webhook", "%.40q is not a webhook id; they look like wh_01j9…", id)
	}
	s, owner, err := f.owned(ctx, by, "tenant", r.Query().Get("tenant"))
	return s, owner, id, err
}

func (f *Function) get(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("tenant"); err != nil {
		return nil, err
	}
	s, owner, id, err := f.named(ctx, r, by)
	if err != nil {
		return nil, err
	}
	e, err := s.Endpoints.Endpoint(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	tries, err := s.Trail.Tries(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	out := struct {
		webhookView
		Deliveries []deliveryView `json:"deliveries"`
	}{view(e, f.deps.Now()), []deliveryView{}}
	for _, t := range tries {
		out.Deliveries = append(out.Deliveries, delivery(t))
	}
	return apigw.JSON(http.StatusOK, out)
}

func (f *Function) remove(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("tenant"); err != nil {
		return nil, err
	}
	s, owner, id, err := f.named(ctx, r, by)
	if err != nil {
		return nil, err
	}
	if err := s.Delete(ctx, owner, id, by.KeyID); err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusNoContent}, nil
}

func (f *Function) rotate(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("tenant"); err != nil {
		return nil, err
	}
	s, owner, id, err := f.named(ctx, r, by)
	if err != nil {
		return nil, err
	}
	e, text, err := s.Rotate(ctx, owner, id, by.KeyID)
	if err != nil {
		return nil, err
	}
	return shownOnce(http.StatusOK, e, text, f.deps.Now())
}

// test sends one webhook now and reports how it went.
func (f *Function) test(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("tenant"); err != nil {
		return nil, err
	}
	s, owner, id, err := f.named(ctx, r, by)
	if err != nil {
		return nil, err
	}
	e, try, err := s.Test(ctx, owner, id, by.KeyID)
	if err != nil {
		return nil, err
	}
	if err := s.Trail.AddTries(ctx, owner, id, []notify.Try{try}); err != nil {
		f.deps.Log.WarnContext(ctx, "try not kept", "webhook", id, "error", err)
	}
	return apigw.JSON(http.StatusOK, map[string]any{"delivered": try.Outcome == notify.Delivered, "delivery": delivery(try), "webhook": view(e, f.deps.Now())})
}
