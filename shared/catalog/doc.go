// Package catalog turns a connector's folder (connector.yaml, tools.yaml) into what the other packages ask about a
// provider: where to send whom, how to read the answer, what an error means, and how to build a tool's request.
//
// It exists so that no other package holds a provider's name: oauthflow, refresh, toolcall and revoke ask a Connector,
// and a new provider is data. It makes no network call, holds no credential of its own and has no clock.
//
// Flow: Load reads every connector.yaml strictly (unknown field: error with file and line) and checks that nothing has to
// be guessed; tools.yaml of a connector is read at its first use, a tool's JSON Schema is compiled at its first call.
//
//	form        Connector.ReadValues → Metadata, and for what is pasted Credential; for what mints Seed
//	mint        ReadSeed → Assertion or ClientOf → wire → ParseTokenBody
//	authorize   Connector.AuthorizeURL
//	exchange    Connector.TokenURL, TokenHeader, ClientAuth → wire → ParseTokenBody, or ClassifyTokenError
//	call        Catalog.Tool → ValidateInput → MissingScopes → Bind → wire → ClassifyAPIResponse → Shape
//	revoke      Connector.RevokeRequest → TokenCall.HTTP → wire → ParseRevoke
//
// A token endpoint's answer is judged by ParseTokenBody from the whole body, not by an OAuth library: golang.org/x/oauth2
// refuses a 2xx answer whose token is nested (Slack's authed_user), and does not know a provider's success rule. Keep the
// body in the RoundTripper and ask this package.
//
// Hosts are named in the manifest and every URL starts with one of them: {api}/repos/{owner}. A host that comes from a
// token response is checked against the manifest's allow list each time it is used, since it decides who gets the token; a
// host with a customer's parameter in it against the parameter's pattern, which lets nothing through that could name another.
package catalog
