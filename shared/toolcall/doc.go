// Package toolcall runs one tool call for one session, in numbered steps that no tool can skip:
//
//	 1 session and user state    strong reads: a suspended principal or a closed tenant stops here
//	 2 tool and policy           is the tool known, within the session's limits, switched off, allowed by the tenant's policy
//	 3 input                     against the tool's JSON Schema; errors name the pointer
//	 4 scopes                    what the grant lacks is said before the provider is asked
//	 5 idempotency claim         same key, same answer
//	 6 access token              budgets counted, approval used up; opened with the caller's own credentials; refreshed by somebody else if it is dead
//	 7 intent record             durable before anything is sent; without it nothing is sent
//	 8 build the request         the input can fill values, never choose the host or leave the path
//	 9 call                      through egress
//	10 classify                  by the connector's rules; a token that is not accepted means one refresh and one more try
//	11 scan and shape            the injected token never comes back
//	12 outcome record
//
// The store, the vault and the recorder that an Executor is given carry credentials for exactly one tenant and
// principal; a mistake in here cannot reach anybody else's connection.
package toolcall
