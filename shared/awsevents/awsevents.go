// Package awsevents publishes to the EventBridge bus that the adopter subscribes to.
package awsevents

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
)

// Bus is one event bus.
type Bus struct {
	client *eventbridge.Client
	name   string
	now    func() time.Time
}

// New returns the bus called name.
func New(client *eventbridge.Client, name string, now func() time.Time) *Bus {
	return &Bus{client, name, now}
}

// ConnectionChanged publishes what happened to a connection, in the current version of its contract.
func (b *Bus) ConnectionChanged(ctx context.Context, kind audit.Kind, c connection.Connection) error {
	e := events.Connection{Version: events.Version, Tenant: string(c.Tenant), Principal: string(c.Principal), Connector: c.Connector, Connection: string(c.ID),
		Status: string(c.Status), Reason: c.Reason, Grant: string(c.Grant), Time: b.now().UTC()}
	if c.Status == connection.Revoked {
		e.ProviderRevocation = c.Revocation.Provider
	}
	detail, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{EventBusName: &b.name, Source: aws.String(events.Source), DetailType: aws.String(string(kind)), Detail: aws.String(string(detail))}}})
	if err != nil {
		return fmt.Errorf("publish %s: %w", kind, err)
	}
	if out.FailedEntryCount > 0 {
		return fmt.Errorf("publish %s: %s", kind, aws.ToString(out.Entries[0].ErrorMessage))
	}
	return nil
}
