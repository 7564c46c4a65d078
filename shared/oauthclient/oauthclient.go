// Package oauthclient keeps OAuth clients: client id and sealed client secret, one for the deployment or one that a
// tenant brings.
//
// A tenant's own client comes before the deployment's. A connection remembers whose client it was made with, and its
// tokens are refreshed and revoked with that one. Clients live in the vault and are sealed under the purpose "cs", so
// the agent plane, which may unwrap "at" only, can never read a client secret.
package oauthclient

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// Store keeps clients.
type Store interface {
	// StoredClient reads one; fault.NotFound.
	StoredClient(ctx context.Context, owner tenant.ID, connector string) (connection.StoredClient, error)
	// PutClient writes c if the stored revision is c.Revision-1 (0: none stored); fault.Conflict otherwise.
	PutClient(ctx context.Context, c connection.StoredClient) error
	// DeleteClient removes one; deleting what is not there is no error.
	DeleteClient(ctx context.Context, owner tenant.ID, connector string) error
}

// Sealer seals and opens client secrets.
type Sealer interface {
	Seal(ctx context.Context, b connection.Binding, s secret.Text) ([]byte, error)
	Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error)
}

// Registry reads and writes clients with one tenant's credentials.
type Registry struct {
	store  Store
	sealer Sealer
	now    func() time.Time
}

// New returns a Registry.
func New(store Store, sealer Sealer, now func() time.Time) *Registry {
	return &Registry{store, sealer, now}
}

// binding ties a sealed client secret to its owner and revision; the deployment's are sealed for the pseudo tenant.
func binding(owner tenant.ID, connector string, revision uint64) connection.Binding {
	return connection.Binding{Tenant: owner, Principal: tenant.Org, Record: "client:" + connector, Purpose: connection.ClientSecret, Generation: revision}
}

// Binding is what the sealed secret of c is bound to, for whoever seals it again.
func Binding(c connection.StoredClient) connection.Binding {
	return binding(c.Owner, c.Connector, c.Revision)
}

// Registration is a client to keep. It proves itself with a secret or with a private key, not with both; a public client has
// neither. With a certificate the private key is that of the certificate, and a secret may stand beside it.
type Registration struct {
	ID                 string
	Secret, PrivateKey secret.Text
	// Certificate is a chain as PEM, for TLS (RFC 8705).
	Certificate string
	Params      map[string]string
}

// Put stores a client, replacing the one before.
func (r *Registry) Put(ctx context.Context, owner tenant.ID, connector string, in Registration) (connection.StoredClient, error) {
	old, err := r.store.StoredClient(ctx, owner, connector)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return old, err
	}
	c := connection.StoredClient{Owner: owner, Connector: connector, ID: in.ID, Params: in.Params, Certificate: in.Certificate, Revision: old.Revision + 1, Updated: r.now()}
	proof := in.Secret
	if c.Certificate != "" {
		proof = secret.Pair(in.Secret, in.PrivateKey)
	} else if c.Signs = !in.PrivateKey.IsZero(); c.Signs {
		proof = in.PrivateKey
	}
	if !proof.IsZero() {
		if c.Sealed, err = r.sealer.Seal(ctx, binding(owner, connector, c.Revision), proof); err != nil {
			return c, err
		}
	}
	return c, r.store.PutClient(ctx, c)
}

// Describe returns a client without its secret; fault.NotFound.
func (r *Registry) Describe(ctx context.Context, owner tenant.ID, connector string) (connection.StoredClient, error) {
	return r.store.StoredClient(ctx, owner, connector)
}

// Delete removes a client. Connections made with it can no longer be refreshed.
func (r *Registry) Delete(ctx context.Context, owner tenant.ID, connector string) error {
	return r.store.DeleteClient(ctx, owner, connector)
}

// Owner says whose client a new connection of t uses: its own before the deployment's. It returns fault.Conflict with
// what to do when there is neither.
func (r *Registry) Owner(ctx context.Context, t tenant.ID, connector string) (connection.StoredClient, error) {
	for _, owner := range []tenant.ID{t, tenant.Deployment} {
		c, err := r.store.StoredClient(ctx, owner, connector)
		if err == nil || !fault.Is(err, fault.NotFound) {
			return c, err
		}
	}
	return connection.StoredClient{}, fault.New(fault.Conflict, "no OAuth client is registered for %s; register one with PUT /v1/connectors/%s/client", connector, connector).With("connector", connector)
}

// Client returns a client with its secret; fault.NotFound when it was removed. Without an owner there is no client, and
// none is needed.
func (r *Registry) Client(ctx context.Context, owner tenant.ID, connector string) (connection.Client, error) {
	if owner == "" {
		return connection.Client{Connector: connector}, nil
	}
	c, err := r.store.StoredClient(ctx, owner, connector)
	if err != nil {
		return connection.Client{}, err
	}
	out := connection.Client{Owner: owner, Connector: connector, ID: c.ID}
	if c.Sealed == nil {
		return out, nil
	}
	proof, err := r.sealer.Open(ctx, binding(owner, connector, c.Revision), c.Sealed)
	switch {
	case err != nil:
	case c.Certificate != "":
		out.Certificate = c.Certificate
		out.Secret, out.PrivateKey, err = secret.Split(proof)
	case c.Signs:
		out.PrivateKey = proof
	default:
		out.Secret = proof
	}
	return out, err
}
