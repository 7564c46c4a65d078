// Package admin is the control plane for the back end of the SaaS: tenants, keys, sessions, connections, audit.
//
// It never opens a credential and has no right to: the role it assumes per tenant reaches the tables but not KMS. What
// needs a credential it asks of others: refresh of the refresh function, revocation at a provider of the revoke
// function. It signs session tokens with a KMS key that cannot decrypt anything.
package admin
