package oauthclient_test

import (
	"context"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/oauthclient"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// open seals nothing: what is tested is which of the two comes back as what.
type open struct{}

func (open) Seal(_ context.Context, _ connection.Binding, s secret.Text) ([]byte, error) {
	return s.Reveal(reveal.Key{}), nil
}

func (open) Open(_ context.Context, _ connection.Binding, sealed []byte) (secret.Text, error) {
	return secret.New(append([]byte(nil), sealed...)), nil
}

func TestRegistry_SecretOrKey_ComesBackAsWhatItWas(t *testing.T) {
	t.Parallel()
	r := oauthclient.New(memory.New(time.Now), open{}, time.Now)
	for _, in := range []oauthclient.Registration{
		{ID: "a", Secret: secret.FromString("s")}, {ID: "b", PrivateKey: secret.FromString("k"), Params: map[string]string{"subdomain": "acme"}}, {ID: "c"},
		{ID: "d", Secret: secret.FromString("s"), PrivateKey: secret.FromString("k"), Certificate: "pem"}, {ID: "e", PrivateKey: secret.FromString("k"), Certificate: "pem"},
	} {
		if _, err := r.Put(t.Context(), "acme", "github", in); err != nil {
			t.Fatal(err)
		}
		got, err := r.Client(t.Context(), "acme", "github")
		if err != nil || got.ID != in.ID || !got.Secret.Equal(in.Secret) || !got.PrivateKey.Equal(in.PrivateKey) || got.Certificate != in.Certificate {
			t.Errorf("%s: %v", in.ID, err)
		}
		if d, err := r.Describe(t.Context(), "acme", "github"); err != nil || d.Params["subdomain"] != in.Params["subdomain"] {
			t.Errorf("%s: %v %v", in.ID, d.Params, err)
		}
	}
	if c, err := r.Client(t.Context(), "", "stripe"); err != nil || !c.Secret.IsZero() || c.ID != "" {
		t.Errorf("nobody's client: %v", err)
	}
}
