package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
)

const (
	acme  tenant.ID = "acme"
	other tenant.ID = "other"
)

func scope(t tenant.ID, p tenant.Principal) tenant.Scope {
	return tenant.Scope{Tenant: t, Principal: p}
}

// epoch is the time of the fixtures.
func epoch() time.Time { return time.Date(2026, 11, 22, 10, 30, 0, 123456789, time.UTC) }

// connID is the n-th connection id in order of creation.
func connID(n int) connection.ID { return connection.ID(fmt.Sprintf("conn_%026d", n)) }

// conn is a connection with something in every field.
func conn(s tenant.Scope, connector string, n int) connection.Connection {
	at := epoch().Add(time.Duration(n) * time.Second)
	return connection.Connection{
		Ref: connection.Ref{Scope: s, Connector: connector, ID: connID(n)}, Version: 1, Status: connection.Active, Reason: "because",
		Account: connection.Account{ID: "42", Login: "octo", Name: "Octo ü", Email: "o@example.com", TenantID: "t", TenantName: "T"},
		Scopes:  []string{"repo", "user"}, Metadata: map[string]string{"instance_url": "https://x.example"}, Grant: "grant_1", ClientOwner: tenant.Deployment,
		ExpiresAt: at.Add(time.Hour), RefreshExpiresAt: at.Add(time.Hour * 24), Created: at, Updated: at, RefreshedAt: at,
		Refresh: connection.RefreshState{Generation: 1, Fence: 3, LeaseOwner: "lease_1", LeaseUntil: at, Followed: 2, IntentGeneration: 2, IntentAt: at, Fails: 2, NextTry: at,
			Rotates: true, DueAt: at.Add(time.Minute)},
	}
}

// create stores a fresh connection.
func create(t *testing.T, s Store, c connection.Connection) connection.Connection {
	t.Helper()
	must(t, s.CreateConnection(context.Background(), c))
	return read(t, s, c.Ref)
}

func read(t *testing.T, s Store, ref connection.Ref) connection.Connection {
	t.Helper()
	c, err := s.Connection(context.Background(), ref)
	must(t, err)
	return c
}

// update changes a connection where nobody interferes.
func update(t *testing.T, s Store, c connection.Connection, change func(c *connection.Connection)) connection.Connection {
	t.Helper()
	next, err := s.UpdateConnection(context.Background(), c, func(x connection.Connection) (connection.Connection, error) {
		change(&x)
		return x, nil
	})
	must(t, err)
	return next
}

func slot(generation, fence uint64, text string) connection.Slot {
	return connection.Slot{Generation: generation, Fence: fence, Access: []byte("at " + text), Refresh: []byte("rt " + text),
		Facts: connection.TokenFacts{ExpiresAt: epoch(), Scopes: []string{"repo"}, Metadata: map[string]string{"k": text}, Rotated: true}}
}

func link(t tenant.ID, id string) oauthflow.Link {
	return oauthflow.Link{ID: id, Scope: scope(t, "alice"), Connector: "github", Connection: connID(1), Reconnect: true, Scopes: []string{"repo"}, ReturnURL: "https://x.example/back",
		Status: oauthflow.LinkOpen, ClientOwner: t, ClientID: "client", CookieHash: "c", StateHash: "s", Nonce: "n", Verifier: []byte{1, 2}, Code: []byte{0, 255},
		Created: epoch(), Expires: epoch().Add(time.Minute), ParkedUntil: epoch().Add(time.Hour)}
}

func record(t tenant.ID, n int) audit.Record {
	return audit.Record{ID: fmt.Sprintf("aud_%026d", n), Kind: audit.ExecutionIntent, Time: epoch().Add(time.Duration(n) * time.Second), Tenant: t, Principal: "alice",
		Connector: "github", Scopes: []string{"repo"}, Generation: uint64(n), Outcome: "succeeded", DurationMS: 12}.Stamp()
}

func openTenant(t *testing.T, s Store, id tenant.ID) dynamo.Tenant {
	t.Helper()
	got, err := s.PutTenant(context.Background(), dynamo.Tenant{ID: id, Name: "Name", PrincipalMapping: "externalId", ReturnURLs: []string{"https://x.example"}, Created: epoch(), Updated: epoch()})
	must(t, err)
	return got
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got error %v, want %s", err, code)
	}
}

// same compares by JSON: times by what they mean, nil and empty alike as the documents that stores keep.
func same(t *testing.T, what string, got, wanted any) {
	t.Helper()
	a, err := json.Marshal(got)
	must(t, err)
	b, err := json.Marshal(wanted)
	must(t, err)
	if string(a) != string(b) {
		t.Errorf("%s is\n%s\nwant\n%s", what, a, b)
	}
}
