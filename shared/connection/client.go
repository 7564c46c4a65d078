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
}

// StoredClient is an OAuth client as it is stored: the secret is sealed.
type StoredClient struct {
	Owner     tenant.ID
	Connector string
	ID        string
	Sealed    []byte
	// Revision counts replacements; the sealed secret is bound to it.
	Revision uint64
	Updated  time.Time
}
