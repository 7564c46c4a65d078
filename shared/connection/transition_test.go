package connection_test

import (
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func in(s connection.Status) connection.Connection {
	return connection.Connection{Status: s, Refresh: connection.RefreshState{Generation: 3, Fence: 7, LeaseOwner: "w", LeaseUntil: now, DueAt: now}}
}

func TestMoves_EachFromEachStatus(t *testing.T) {
	t.Parallel()
	type move struct {
		name string
		do   func(connection.Connection) (connection.Connection, error)
		want map[connection.Status]connection.Status // absent: refused
	}
	moves := []move{
		{"activate", func(c connection.Connection) (connection.Connection, error) {
			return c.Activate(connection.Activated{}, now)
		}, map[connection.Status]connection.Status{connection.Pending: connection.Active, connection.Active: connection.Active, connection.Paused: connection.Active, connection.ReauthorizationRequired: connection.Active}},
		{"pause", func(c connection.Connection) (connection.Connection, error) { return c.Pause(now) },
			map[connection.Status]connection.Status{connection.Active: connection.Paused, connection.Paused: connection.Paused}},
		{"resume", func(c connection.Connection) (connection.Connection, error) { return c.Resume(now) },
			map[connection.Status]connection.Status{connection.Active: connection.Active, connection.Paused: connection.Active}},
		{"reauthorize", func(c connection.Connection) (connection.Connection, error) {
			return c.RequireReauthorization("x", now), nil
		}, map[connection.Status]connection.Status{connection.Pending: connection.ReauthorizationRequired, connection.Active: connection.ReauthorizationRequired, connection.Paused: connection.ReauthorizationRequired, connection.ReauthorizationRequired: connection.ReauthorizationRequired, connection.Revoked: connection.Revoked}},
		{"revoke", func(c connection.Connection) (connection.Connection, error) { return c.Revoke("x", now), nil },
			map[connection.Status]connection.Status{connection.Pending: connection.Revoked, connection.Active: connection.Revoked, connection.Paused: connection.Revoked, connection.ReauthorizationRequired: connection.Revoked, connection.Revoked: connection.Revoked}},
	}
	for _, m := range moves {
		for _, from := range connection.Statuses() {
			got, err := m.do(in(from))
			want, allowed := m.want[from]
			if allowed && (err != nil || got.Status != want) {
				t.Errorf("%s from %s: %s, %v; want %s", m.name, from, got.Status, err, want)
			}
			if !allowed && (err == nil || got.Status != from) {
				t.Errorf("%s from %s was allowed", m.name, from)
			}
		}
	}
}

func TestRevoke_RaisesTheFenceAndLeavesTheIndex(t *testing.T) {
	t.Parallel()
	c := in(connection.Active).Revoke("deleted", now)
	if c.Refresh.Fence != 8 || c.Refresh.LeaseOwner != "" || !c.Refresh.DueAt.IsZero() || c.Revocation.Provider != "pending" {
		t.Errorf("%+v", c)
	}
	if again := c.Revoke("other", now.Add(time.Hour)); again.Reason != "deleted" || again.Refresh.Fence != 8 {
		t.Errorf("second revoke changed the first: %+v", again)
	}
	if _, err := c.Activate(connection.Activated{}, now); !fault.Is(err, fault.Revoked) {
		t.Errorf("a revoked connection came back: %v", err)
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	if _, err := connection.ParseID("connection", "conn_01j9zzzzzzzzzzzzzzzzzzzzzz"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "conn_", "conn_01J9ZZZZZZZZZZZZZZZZZZZZZZ", "conn_01j9zzzzzzzzzzzzzzzzzzzzz#", "x"} {
		if _, err := connection.ParseID("connection", bad); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%q accepted", bad)
		}
	}
}
