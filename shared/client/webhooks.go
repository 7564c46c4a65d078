package client

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/secret"
)

// Webhook is an endpoint of yours that is told what happens. Package webhook verifies what arrives there.
type Webhook struct {
	ID string `json:"id"`
	// Tenant is whose events it gets; empty for those of all tenants.
	Tenant      string   `json:"tenant,omitempty"`
	URL         string   `json:"url"`
	Description string   `json:"description,omitempty"`
	Events      []string `json:"events"`
	// Status is "active" or "disabled", Reason then "gone" or "failing".
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// FailingSince is the first failed try since the last successful one; zero while all is well.
	FailingSince time.Time `json:"failing_since,omitzero"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	// OldSecretUntil is until when the secret before the last rotation signs too.
	OldSecretUntil time.Time `json:"old_secret_until,omitzero"`
}

// NewWebhook is a webhook with its secret, which cannot be read again.
type NewWebhook struct {
	Webhook
	Secret secret.Text `json:"-"`
}

// WebhookRequest asks for a webhook.
type WebhookRequest struct {
	URL string `json:"url"`
	// Events are the types to send, or "*" alone.
	Events      []string `json:"events"`
	Description string   `json:"description,omitempty"`
	// Tenant limits it to the events of one tenant; empty: it hears of all tenants that the API key reaches.
	Tenant string `json:"tenant,omitempty"`
}

// WebhookDelivery is one try to deliver one event.
type WebhookDelivery struct {
	// MessageID is the webhook-id header, the same on every try.
	MessageID string    `json:"message_id"`
	Event     string    `json:"event"`
	Time      time.Time `json:"time"`
	// Outcome is "delivered", "failed" (it comes again at RetryAt) or "given_up".
	Outcome    string    `json:"outcome"`
	HTTPStatus int       `json:"http_status,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	DurationMS int64     `json:"duration_ms"`
	RetryAt    time.Time `json:"retry_at,omitzero"`
}

// WebhookDetail is a webhook and its last deliveries, newest first.
type WebhookDetail struct {
	Webhook
	Deliveries []WebhookDelivery `json:"deliveries"`
}

// WebhookTest is how a test went. Webhook is as it is after it: a good test enables a disabled one.
type WebhookTest struct {
	Delivered bool            `json:"delivered"`
	Delivery  WebhookDelivery `json:"delivery"`
	Webhook   Webhook         `json:"webhook"`
}

func (c *Client) newWebhook(ctx context.Context, k call) (NewWebhook, error) {
	out, err := get[struct {
		Webhook
		Secret string `json:"secret"`
	}](ctx, c, k)
	return NewWebhook{out.Webhook, secret.FromString(out.Secret)}, err
}

// CreateWebhook adds a webhook.
func (c *Client) CreateWebhook(ctx context.Context, r WebhookRequest) (NewWebhook, error) {
	return c.newWebhook(ctx, call{method: http.MethodPost, route: "/v1/webhooks", body: r})
}

// Webhooks lists the webhooks of a tenant; tenant "" are those of the deployment.
func (c *Client) Webhooks(ctx context.Context, tenant string) ([]Webhook, error) {
	out, err := get[struct {
		Webhooks []Webhook `json:"webhooks"`
	}](ctx, c, call{method: http.MethodGet, route: "/v1/webhooks", query: with("tenant", tenant)})
	return out.Webhooks, err
}

// Webhook reads one and its last deliveries; tenant is "" for one of the deployment, here and below.
func (c *Client) Webhook(ctx context.Context, tenant, id string) (WebhookDetail, error) {
	return get[WebhookDetail](ctx, c, call{method: http.MethodGet, route: "/v1/webhooks/{webhook}", params: []string{id}, query: with("tenant", tenant)})
}

// DeleteWebhook removes one; what is under way to it is dropped.
func (c *Client) DeleteWebhook(ctx context.Context, tenant, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: "/v1/webhooks/{webhook}", params: []string{id}, query: with("tenant", tenant)}, nil)
}

// TestWebhook sends a test now. A test that fails is no error.
func (c *Client) TestWebhook(ctx context.Context, tenant, id string) (WebhookTest, error) {
	return get[WebhookTest](ctx, c, call{method: http.MethodPost, route: "/v1/webhooks/{webhook}/test", params: []string{id}, query: with("tenant", tenant)})
}

// RotateWebhook replaces the secret. The one before signs beside the new one for 24 hours.
func (c *Client) RotateWebhook(ctx context.Context, tenant, id string) (NewWebhook, error) {
	return c.newWebhook(ctx, call{method: http.MethodPost, route: "/v1/webhooks/{webhook}/rotate", params: []string{id}, query: with("tenant", tenant)})
}
