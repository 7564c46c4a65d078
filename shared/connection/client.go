package connection

import (
	"time"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// Client is an OAuth client, ready to use.
type Client struct {
	// Owner is the tenant that brought it, or tenant.Deployment.
	Owner     tenant.ID
	Connector string
	ID        string
	Secret    secret.Text
	// PrivateKey is PEM, for clients that sign instead of sending a secret, and for those with a certificate; zero otherwise.
	PrivateKey secret.Text
	// Certificate is the chain that belongs to PrivateKey, as PEM, for clients that show one in the TLS handshake.
	Certificate string
}

// StoredClient is an OAuth client as it is stored: the secret is sealed.
type StoredClient struct {
	Owner     tenant.ID
	Connector string
	ID        string
	Sealed    []byte
	// Signs tells that what is sealed is a private key and not a secret.
	Signs bool
	// Certificate is as in Client; with one, what is sealed is both the secret, if there is one, and the private key.
	Certificate string `json:",omitempty"`
	// Params are fixed for all connections that are made with the client ("subdomain").
	Params map[string]string
	// Revision counts replacements; the sealed secret is bound to it.
	Revision uint64
	Updated  time.Time
}
