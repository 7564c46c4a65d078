package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

func linkWhole(t *testing.T, s Store) {
	ctx := context.Background()
	l := link(acme, "cl_acme.1")
	must(t, s.CreateLink(ctx, l, "hash1"))
	must(t, s.PutLinkHash(ctx, acme, "state1", l.ID, l.Expires))
	got, err := s.Link(ctx, acme, l.ID)
	must(t, err)
	if got.Version != 1 {
		t.Errorf("a new link has version %d, want 1", got.Version)
	}
	l.Version = 1
	same(t, "the link", got, l)
	for _, hash := range []string{"hash1", "state1"} {
		id, err := s.LinkIDByHash(ctx, acme, hash)
		must(t, err)
		if id != l.ID {
			t.Errorf("%s leads to %q", hash, id)
		}
		_, err = s.LinkIDByHash(ctx, other, hash)
		want(t, err, fault.NotFound)
	}
	_, err = s.Link(ctx, other, l.ID)
	want(t, err, fault.NotFound)
	_, err = s.Link(ctx, acme, "cl_acme.2")
	want(t, err, fault.NotFound)
	_, err = s.LinkIDByHash(ctx, acme, "hash2")
	want(t, err, fault.NotFound)
}

func clientCycle(t *testing.T, s Store) {
	ctx := context.Background()
	c := connection.StoredClient{Owner: acme, Connector: "github", ID: "id", Sealed: []byte{0, 1, 255}, Certificate: "pem", Revision: 1, Updated: epoch()}
	must(t, s.PutClient(ctx, c))
	got, err := s.StoredClient(ctx, acme, "github")
	must(t, err)
	same(t, "the client", got, c)
	for _, x := range []struct {
		owner     tenant.ID
		connector string
	}{{other, "github"}, {acme, "slack"}, {tenant.Deployment, "github"}} {
		_, err := s.StoredClient(ctx, x.owner, x.connector)
		want(t, err, fault.NotFound)
	}
	must(t, s.DeleteClient(ctx, acme, "github"))
	must(t, s.DeleteClient(ctx, acme, "github"))
	_, err = s.StoredClient(ctx, acme, "github")
	want(t, err, fault.NotFound)
}

func wrapped(p connection.Purpose, version uint32) vault.WrappedKey {
	return vault.WrappedKey{Purpose: p, Version: version, Wrapped: fmt.Appendf(nil, "%s-%d", p, version), KeyARN: "arn:key", Created: epoch()}
}

func newestKey(t *testing.T, s Store) {
	ctx := context.Background()
	if _, ok, err := s.NewestKey(ctx, acme, connection.AccessToken); ok || err != nil {
		t.Errorf("a tenant without keys has one: %v, %v", ok, err)
	}
	for v := uint32(1); v <= 10; v++ {
		must(t, s.PutKey(ctx, acme, wrapped(connection.AccessToken, v)))
	}
	must(t, s.PutKey(ctx, acme, wrapped(connection.RefreshToken, 11)))
	must(t, s.PutKey(ctx, other, wrapped(connection.AccessToken, 12)))
	got, ok, err := s.NewestKey(ctx, acme, connection.AccessToken)
	must(t, err)
	if !ok {
		t.Fatal("no key")
	}
	same(t, "the newest key", got, wrapped(connection.AccessToken, 10))
	old, err := s.Key(ctx, acme, connection.AccessToken, 2)
	must(t, err)
	same(t, "version 2", old, wrapped(connection.AccessToken, 2))
	_, err = s.Key(ctx, acme, connection.AccessToken, 11)
	want(t, err, fault.NotFound)
}

func destroyKeys(t *testing.T, s Store) {
	ctx := context.Background()
	for v := uint32(1); v <= 3; v++ {
		must(t, s.PutKey(ctx, acme, wrapped(connection.AccessToken, v)))
		must(t, s.PutKey(ctx, acme, wrapped(connection.RefreshToken, v)))
		must(t, s.PutKey(ctx, other, wrapped(connection.AccessToken, v)))
	}
	must(t, s.DestroyKeys(ctx, acme))
	must(t, s.DestroyKeys(ctx, acme))
	for v := uint32(1); v <= 3; v++ {
		_, err := s.Key(ctx, acme, connection.RefreshToken, v)
		want(t, err, fault.NotFound)
	}
	if _, ok, err := s.NewestKey(ctx, acme, connection.AccessToken); ok || err != nil {
		t.Errorf("a key is left: %v", err)
	}
	if _, ok, err := s.NewestKey(ctx, other, connection.AccessToken); !ok || err != nil {
		t.Errorf("the other tenant's keys are gone: %v", err)
	}
}

func apiKey(kind authn.KeyKind, t tenant.ID, id string) authn.Key {
	return authn.Key{Kind: kind, ID: id, Tenant: t, Name: "name", Permissions: []string{"*"}, Digest: sha256.Sum256([]byte(id)), Created: epoch(), Expires: epoch().Add(time.Hour)}
}

func keyRecords(t *testing.T, s Store) {
	ctx := context.Background()
	wide, narrow := apiKey(authn.APIKey, tenant.Deployment, "wide"), apiKey(authn.APIKey, acme, "narrow")
	token, foreign := apiKey(authn.SCIMKey, acme, "token"), apiKey(authn.SCIMKey, other, "foreign")
	for _, k := range []authn.Key{wide, narrow, token, foreign} {
		must(t, s.PutKeyRecord(ctx, k))
	}
	got, err := s.KeyRecord(ctx, authn.KeyRef{Kind: authn.APIKey, Tenant: tenant.Deployment, ID: "narrow"})
	must(t, err)
	same(t, "the key", got, narrow)
	if got.Digest != narrow.Digest {
		t.Error("the digest is lost")
	}
	for _, ref := range []authn.KeyRef{{Kind: authn.SCIMKey, Tenant: other, ID: "token"}, {Kind: authn.SCIMKey, Tenant: acme, ID: "wide"}, {Kind: authn.APIKey, Tenant: tenant.Deployment, ID: "nobody"}} {
		_, err := s.KeyRecord(ctx, ref)
		want(t, err, fault.Unauthenticated)
	}
	wantKeys(t, s, authn.APIKey, tenant.Deployment, "narrow", "wide")
	wantKeys(t, s, authn.SCIMKey, acme, "token")
	wantKeys(t, s, authn.SCIMKey, other, "foreign")
	must(t, s.DeleteKeyRecord(ctx, authn.SCIMKey, acme, "token"))
	must(t, s.DeleteKeyRecord(ctx, authn.SCIMKey, acme, "token"))
	wantKeys(t, s, authn.SCIMKey, acme)
	wantKeys(t, s, authn.SCIMKey, other, "foreign")
}

func wantKeys(t *testing.T, s Store, kind authn.KeyKind, owner tenant.ID, wanted ...string) {
	t.Helper()
	all, err := s.KeyRecords(context.Background(), kind, owner)
	must(t, err)
	var got []string
	for _, k := range all {
		got = append(got, k.ID)
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("%s keys of %s are %v, want %v", kind, owner, got, wanted)
	}
}
