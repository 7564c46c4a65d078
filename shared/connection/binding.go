package connection

import (
	"time"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// Purpose splits a tenant's keys by what they protect: whoever may unwrap access tokens still cannot unwrap the rest.
type Purpose string

// The purposes.
const (
	AccessToken  Purpose = "at"
	RefreshToken Purpose = "rt"
	ClientSecret Purpose = "cs" // client secrets and other long-lived things that a connection starts from
	// WebhookSecret signs what the SaaS is told. Whoever may open it can forge news, and open no credential.
	WebhookSecret Purpose = "wh"
)

// Binding is what a sealed secret is bound to. Opening it with any other value fails.
type Binding struct {
	Tenant    tenant.ID
	Principal tenant.Principal
	// Record names what holds the secret: a connection id, "client:github", "link:…".
	Record     string
	Purpose    Purpose
	Generation uint64
}

// Binding is what the tokens of a connection are bound to.
func (r Ref) Binding(p Purpose, generation uint64) Binding {
	return Binding{Tenant: r.Tenant, Principal: r.Principal, Record: string(r.ID), Purpose: p, Generation: generation}
}

// Tokens is what a token endpoint gave.
type Tokens struct {
	Access secret.Text
	// Refresh is zero when the answer held none: after a refresh that means to keep the one before (RFC 6749, section 6).
	Refresh secret.Text
	Facts   TokenFacts
	// Sets are the further tokens of an exchange, by the name that the connector gives them. Each is refreshed by itself.
	Sets map[string]Tokens
}

// Redemption is what an authorization code is redeemed with.
type Redemption struct {
	Code secret.Text
	// Verifier is zero where PKCE is not used.
	Verifier    secret.Text
	RedirectURI string
	// Metadata holds the parameters of the token endpoint's host, if it has any.
	Metadata map[string]string
}

// marginFloor is the least time before expiry at which a refresh is due, for tokens that live long enough.
const marginFloor = 5 * time.Minute

// DueAt is when a token issued at now should be refreshed: before its end by 10 % of its life, at least 5 minutes but
// never more than half its life, minus up to 10 % of jitter (in [0,1)) so that tokens issued together do not fall due
// together. A token without expiry is due at its keep-alive, if the provider has an idle limit; zero means never.
func DueAt(now, expiresAt time.Time, keepAlive time.Duration, jitter float64) time.Time {
	if expiresAt.IsZero() {
		if keepAlive == 0 {
			return time.Time{}
		}
		return now.Add(keepAlive - time.Duration(jitter*float64(keepAlive)/10))
	}
	life := expiresAt.Sub(now)
	if life <= 0 {
		return now
	}
	margin := min(max(life/10, marginFloor), life/2)
	return expiresAt.Add(-margin - time.Duration(jitter*float64(life)/10))
}
