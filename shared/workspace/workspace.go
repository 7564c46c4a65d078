// Package workspace opens store and vault under credentials that were vended for one tenant.
//
// Every function that touches data goes through here, so there is one place where a request's credentials meet the
// clients that will use them. A client that is used again has exactly the credentials that the request came with (shelf).
package workspace

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"behalf.dev/behalf/shared/awskms"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/oauthclient"
	"behalf.dev/behalf/shared/vault"
)

// Opener opens workspaces. Its own clients are never used with the function's own credentials.
type Opener struct {
	stage string
	db    *dynamo.DB
	kms   *awskms.KMS
	cache *vault.Cache
	now   func() time.Time
	kept  *shelf
}

// How many unwrapped tenant keys a process keeps, and how long.
const (
	cacheKeys = 256
	cacheLife = 15 * time.Minute
)

// Tables reads the names of the four tables from a function's environment.
func Tables(r *env.Reader) dynamo.Names {
	return dynamo.Names{Vault: r.Require(env.VaultTable), Directory: r.Require(env.DirectoryTable), Flow: r.Require(env.FlowTable), Audit: r.Require(env.AuditTable)}
}

// NewOpener returns an Opener. vaultKeyARN may be empty for functions that never open a secret.
func NewOpener(cfg aws.Config, stage string, tables dynamo.Names, vaultKeyARN string, now func() time.Time) *Opener {
	return &Opener{stage, dynamo.New(dynamodb.NewFromConfig(cfg), tables, now), awskms.New(kms.NewFromConfig(cfg), vaultKeyARN), vault.NewCache(cacheKeys, cacheLife, now), now, newShelf(keptClients, clientLife, now)}
}

// Workspace is what one request may work with.
type Workspace struct {
	DB      *dynamo.DB
	Vault   *vault.Vault
	Clients *oauthclient.Registry
}

// Open returns a Workspace that uses creds and nothing else.
func (o *Opener) Open(creds aws.CredentialsProvider) Workspace {
	if c, ok := creds.(credentials.StaticCredentialsProvider); ok {
		return o.OpenWith(c.Value)
	}
	return o.workspace(o.clients(creds))
}

// OpenWith is Open for credentials at hand. The SDK's clients of the same credentials are used again.
func (o *Opener) OpenWith(c aws.Credentials) Workspace {
	if have, ok := o.kept.get(c); ok {
		return o.workspace(have)
	}
	made := o.clients(credentials.StaticCredentialsProvider{Value: c})
	o.kept.put(c, made)
	return o.workspace(made)
}

func (o *Opener) clients(creds aws.CredentialsProvider) clients {
	return clients{o.db.With(creds), o.kms.With(creds)}
}

func (o *Opener) workspace(c clients) Workspace {
	v := vault.New(o.stage, o.cache, c.db, c.kms, o.now, nil)
	return Workspace{c.db, v, oauthclient.New(c.db, v, o.now)}
}
