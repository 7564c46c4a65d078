// Package authn tells who is calling: the back end of the SaaS by API key, an agent by session token, an identity
// provider by SCIM token.
//
// Keys and SCIM tokens are 256 random bits, looked up by the id inside them and compared by SHA-256 in constant time;
// the text itself is never stored. A session token is a JWT signed with ES256 by a KMS key. Its claims are the only
// source of tenant and principal on the agent plane: no header, path or body can say otherwise.
//
// Whom a session is for is the back end's word, or that of the tenant's OpenID provider (Issuers). An agent may make a
// narrower session for a sub-agent (Session.Narrow), never a wider one. A session can be ended before its time (Ended).
package authn
