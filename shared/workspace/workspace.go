// Package workspace opens store and vault under credentials that were vended for one tenant.
//
// Every function that touches data goes through here, so there is one place where a request's credentials meet the
// clients that will use them, and no client left over that has any others.
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
	return &Opener{stage, dynamo.New(dynamodb.NewFromConfig(cfg), tables, now), awskms.New(kms.NewFromConfig(cfg), vaultKeyARN), vault.NewCache(cacheKeys, cacheLife, now), now}
}

// Workspace is what one request may work with.
type Workspace struct {
	DB      *dynamo.DB
	Vault   *vault.Vault
	Clients *oauthclient.Registry
}

// Open returns a Workspace that uses creds and nothing else.
func (o *Opener) Open(creds aws.CredentialsProvider) Workspace {
	db := o.db.With(creds)
	v := vault.New(o.stage, o.cache, db, o.kms.With(creds), o.now, nil)
	return Workspace{db, v, oauthclient.New(db, v, o.now)}
}

// OpenWith is Open for credentials at hand.
func (o *Opener) OpenWith(c aws.Credentials) Workspace {
	return o.Open(credentials.StaticCredentialsProvider{Value: c})
}
