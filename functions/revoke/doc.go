// Package revoke is the function that tells providers about revoked connections.
//
// It works off the revoke queue, where each revocation waits until the provider has answered or the last attempt failed;
// and it answers direct calls, so that a DELETE can report what the provider said. Both do the same and may both happen.
package revoke
