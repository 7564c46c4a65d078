package apigw

import (
	"strings"

	"behalf.dev/behalf/shared/authn"
)

// ResourceMetadata is the path of the protected resource metadata of the API (RFC 9728, section 3); that of a resource
// below it is this path and the resource's.
const ResourceMetadata = "/.well-known/oauth-protected-resource"

// MCPPath is where MCP is served; a view is one segment below it.
const MCPPath = authn.MCPResource

// Paths of the authorization server (RFC 8414, section 3; the other is where MCP clients look too, and the one that works below the path of
// a stage: MCP, authorization server discovery).
const (
	ServerMetadata = "/.well-known/oauth-authorization-server"
	OpenIDMetadata = "/.well-known/openid-configuration"
	AuthorizePath  = "/oauth/authorize"
	ConsentPath    = "/oauth/consent"
	TokenPath      = "/oauth/token"
	RevokePath     = "/oauth/revoke"
)

// Challenge is the WWW-Authenticate header of a 401 (RFC 6750, section 3; RFC 9728, section 5.1). public is the
// deployment's URL. presented tells that there was a credential: without one, no error is named (RFC 6750, section 3.1).
func Challenge(public string, presented bool) string {
	s := `Bearer resource_metadata="` + strings.TrimRight(public, "/") + ResourceMetadata + MCPPath + `"`
	if presented {
		s += `, error="invalid_token"`
	}
	return s
}
