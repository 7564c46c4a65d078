// Package awsevents publishes to the EventBridge bus that the adopter subscribes to, and that webhooks are made from.
package awsevents

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/tenant"
)

// Bus is one event bus.
type Bus struct {
	client *eventbridge.Client
	name   string
	now    func() time.Time
	newID  func(prefix string) string
}

// New returns the bus called name. newID makes the ids of events.
func New(client *eventbridge.Client, name string, now func() time.Time, newID func(prefix string) string) *Bus {
	return &Bus{client, name, now, newID}
}

// head is made once for an event, so that an SDK that repeats a request repeats the id too.
func (b *Bus) head(t tenant.ID) events.Head {
	return events.Head{ID: b.newID("evt"), Version: events.Version, Tenant: string(t), Time: b.now().UTC()}
}

// ConnectionChanged publishes what happened to a connection, in the current version of its contract. A kind of audit record that
// is no published event is an error.
func (b *Bus) ConnectionChanged(ctx context.Context, kind audit.Kind, c connection.Connection) error {
	t := events.Type(kind)
	if c.Part() && kind != audit.ConnectionReauthNeed {
		return nil // its main's news say it all, but that a further token has died
	}
	if kind == audit.GrantCreated { // the record names the authorisation, the event what it means for the connection
		t = events.ConnectionConnected
	}
	e := events.Connection{Head: b.head(c.Tenant), Principal: string(c.Principal), Connector: c.Connector, Connection: string(c.Shown()),
		Status: string(c.Status), Reason: c.Reason, Grant: string(c.Grant)}
	if c.Status == connection.Revoked {
		e.ProviderRevocation = cmp.Or(c.Revocation.Provider, "pending")
	}
	if t == events.ConnectionRefreshDelayed {
		e.Failures, e.RetryAt = c.Refresh.Fails, c.Refresh.DueAt.UTC()
	}
	return b.put(ctx, t, e)
}

// LinkChanged publishes what happened to a connect link, by the connection that it was made for.
func (b *Bus) LinkChanged(ctx context.Context, t events.Type, ref connection.Ref, reason string) error {
	return b.put(ctx, t, events.Link{Head: b.head(ref.Tenant), Principal: string(ref.Principal), Connector: ref.Connector, Connection: string(ref.ID), Reason: reason})
}

// ApprovalChanged publishes that an approval was asked for or decided, by the record of it. The event's id is made of the record's,
// so that a record that is published twice is one event.
func (b *Bus) ApprovalChanged(ctx context.Context, r audit.Record) error {
	t, status := events.ApprovalRequested, "pending"
	if r.Kind == audit.ApprovalDecided {
		t, status = events.ApprovalDecided, r.Reason
	}
	head := events.Head{ID: "evt_" + strings.TrimPrefix(r.ID, "aud_"), Version: events.Version, Tenant: string(r.Tenant), Time: r.Time.UTC()}
	return b.put(ctx, t, events.Approval{Head: head, Principal: r.Principal, OnBehalfOf: r.OnBehalfOf, Approval: r.Approval, RequestedAt: r.ApprovalAsked.UTC(), Status: status, Connector: r.Connector,
		Connection: r.Connection, Tool: r.Tool, Effect: r.Effect, Agent: r.Agent, Run: r.Run, Rule: r.Rule, Approver: r.ApprovedBy})
}

// WebhookChanged publishes what happened to a webhook endpoint of owner.
func (b *Bus) WebhookChanged(ctx context.Context, t events.Type, owner tenant.ID, endpoint, reason string) error {
	return b.put(ctx, t, events.Webhook{Head: b.head(owner), Endpoint: endpoint, Reason: reason})
}

func (b *Bus) put(ctx context.Context, t events.Type, e any) error {
	if !slices.Contains(events.Published(), t) {
		return fmt.Errorf("publish %s: the contract has no such event", t)
	}
	detail, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode %s: %w", t, err)
	}
	out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{EventBusName: &b.name, Source: aws.String(events.Source), DetailType: aws.String(string(t)), Detail: aws.String(string(detail))}}})
	if err != nil {
		return fmt.Errorf("publish %s: %w", t, err)
	}
	if out.FailedEntryCount > 0 {
		return fmt.Errorf("publish %s: %s", t, aws.ToString(out.Entries[0].ErrorMessage))
	}
	return nil
}
