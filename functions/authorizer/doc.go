// Package authorizer verifies who calls, and vends credentials for exactly that caller.
//
// API Gateway asks it before each request (and keeps an answer for a few minutes). An API key or SCIM token is looked up
// by the id inside it; a session token is verified against the deployment's public key. For a session it assumes the
// execute role, tagged with the token's tenant and principal, and hands the short-lived credentials on in the request
// context: the execute function has no right to data of its own, so not even code execution in there reaches anybody
// else. The answer allows every route of the caller's kind and no other, because API Gateway reuses it across routes.
package authorizer
