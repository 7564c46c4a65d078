package oauthflow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// oracle is an introspection endpoint that knows a lifetime, or does not answer.
type oracle struct {
	at    time.Time
	err   error
	asked *int
}

// Introspect implements oauthflow.Introspector.
func (o oracle) Introspect(_ context.Context, _ *catalog.Connector, _ connection.Client, access secret.Text, _ map[string]string) (time.Time, error) {
	*o.asked++
	if string(access.Reveal(reveal.Key{})) != "ghu_access" {
		return time.Time{}, errors.New("asked about another token")
	}
	return o.at, o.err
}

func TestConfirm_ProviderTellsTheLifetimeOnRequestOnly_ItIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	const declared, stated = 8 * time.Hour, 15 * time.Minute
	now := newWorld(t).now
	for name, x := range map[string]struct {
		mode  catalog.ExpiryMode
		at    time.Time
		err   error
		want  time.Duration
		asked int
	}{
		"it says":             {catalog.ExpiryIntrospect, now.Add(stated), nil, stated, 1},
		"it does not say":     {catalog.ExpiryIntrospect, time.Time{}, nil, declared, 1},
		"it does not answer":  {catalog.ExpiryIntrospect, time.Time{}, errors.New("no"), declared, 1},
		"its clock is behind": {catalog.ExpiryIntrospect, now.Add(-time.Minute), nil, declared, 1},
		"a field says it":     {catalog.ExpiryField, now.Add(stated), nil, declared, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			asked := 0
			w.flow.Introspector = oracle{x.at, x.err, &asked}
			shipped := w.flow.Connector
			w.flow.Connector = func(id string) (*catalog.Connector, error) {
				spec, err := shipped(id)
				if err == nil {
					spec.Expiry.Mode = x.mode
				}
				return spec, err
			}
			c, err := w.flow.Confirm(t.Context(), w.parked(func(*oauthflow.CreateRequest) {}), "user_alice", "k")
			if err != nil || !c.ExpiresAt.Equal(now.Add(x.want)) || asked != x.asked || !c.Refresh.DueAt.Before(c.ExpiresAt) {
				t.Errorf("expires at %v, due at %v, asked %d times, %v", c.ExpiresAt, c.Refresh.DueAt, asked, err)
			}
		})
	}
}
