// Package keys renews what tenants' secrets are sealed under: by request of the back end, and each day by schedule.
//
// It is a function of its own because it is the only one that may delete a wrapped key. It rotates tenant keys, takes steps of
// re-sealing (package keyring does the work), and moves a tenant to a KMS key of its own and back. Before a tenant's KMS key is
// used, it is tried with every role that will need it: a key policy that forgets one would otherwise fail at the next tool call.
//
// In its paths the pseudo tenant _deployment stands for what belongs to no tenant: the deployment-wide OAuth clients.
package keys
