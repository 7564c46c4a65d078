package apigw

import (
	"net/http"
	"slices"
)

// Function is a deployable, named as its folder under functions/.
type Function string

// The functions that answer HTTP routes.
const (
	Admin    Function = "admin"
	Callback Function = "callback"
	Execute  Function = "execute"
	Keys     Function = "keys"
	Portal   Function = "portal"
	SCIM     Function = "scim"
	Notify   Function = "notify"
)

// Auth says which credential a route asks of its caller.
type Auth string

// The kinds of caller.
const (
	None    Auth = "none"    // browser, provider or anyone
	Key     Auth = "key"     // back end of the SaaS: API key
	Session Auth = "session" // agent: session token
	SCIMKey Auth = "scim"    // identity provider: SCIM token of one tenant
)

// Route is one method and path of the HTTP API. Path uses API Gateway's notation: {name} is one segment, {name+} the rest.
type Route struct {
	Method   string
	Path     string
	Function Function
	Auth     Auth
	// Permission is what an API key needs; empty for other callers.
	Permission string
}

// Routes is the HTTP API: the CDK app deploys it, the local stack serves it, the OpenAPI document must cover it.
func Routes() []Route {
	return slices.Concat(controlRoutes(), tenantKeyRoutes(), connectRoutes(), portalRoutes(), loginRoutes(), webhookRoutes(), agentRoutes(), []Route{
		{"ANY", "/scim/v2/{proxy+}", SCIM, SCIMKey, ""},
	})
}

// controlRoutes are the back end of the SaaS, and what everybody may read.
func controlRoutes() []Route {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	return []Route{
		{get, "/healthz", Admin, None, ""},
		{get, "/openapi.json", Admin, None, ""},
		{get, "/.well-known/jwks.json", Admin, None, ""},
		{get, "/.well-known/oauth-protected-resource", Admin, None, ""},
		{get, "/.well-known/oauth-protected-resource/mcp", Admin, None, ""},
		{get, "/.well-known/oauth-protected-resource/mcp/{view}", Admin, None, ""},

		{get, "/v1/tenants", Admin, Key, "tenants:read"},
		{put, "/v1/tenants/{tenant}", Admin, Key, "tenants:write"},
		{get, "/v1/tenants/{tenant}", Admin, Key, "tenants:read"},
		{del, "/v1/tenants/{tenant}", Admin, Key, "tenants:write"},
		{post, "/v1/tenants/{tenant}/scim-tokens", Admin, Key, "tenants:write"},
		{get, "/v1/tenants/{tenant}/scim-tokens", Admin, Key, "tenants:read"},
		{del, "/v1/tenants/{tenant}/scim-tokens/{token}", Admin, Key, "tenants:write"},
		{put, "/v1/tenants/{tenant}/issuer", Admin, Key, "tenants:write"},
		{get, "/v1/tenants/{tenant}/issuer", Admin, Key, "tenants:read"},
		{del, "/v1/tenants/{tenant}/issuer", Admin, Key, "tenants:write"},
		{get, "/v1/tenants/{tenant}/policy", Admin, Key, "policy:read"},
		{put, "/v1/tenants/{tenant}/policy", Admin, Key, "policy:write"},
		{post, "/v1/tenants/{tenant}/policy/decide", Admin, Key, "policy:read"},
		{get, "/v1/tenants/{tenant}/switches", Admin, Key, "policy:read"},
		{put, "/v1/tenants/{tenant}/switches", Admin, Key, "policy:write"},
		{get, "/v1/switches", Admin, Key, "policy:read"},
		{put, "/v1/switches", Admin, Key, "policy:write"},
		{get, "/v1/tenants/{tenant}/mcp-views", Admin, Key, "tenants:read"},
		{put, "/v1/tenants/{tenant}/mcp-views/{view}", Admin, Key, "tenants:write"},
		{get, "/v1/tenants/{tenant}/mcp-views/{view}", Admin, Key, "tenants:read"},
		{del, "/v1/tenants/{tenant}/mcp-views/{view}", Admin, Key, "tenants:write"},
		{get, "/v1/mcp-views", Admin, Key, "tenants:read"},
		{put, "/v1/mcp-views/{view}", Admin, Key, "tenants:write"},
		{get, "/v1/mcp-views/{view}", Admin, Key, "tenants:read"},
		{del, "/v1/mcp-views/{view}", Admin, Key, "tenants:write"},
		{post, "/v1/api-keys", Admin, Key, "keys:write"},
		{get, "/v1/api-keys", Admin, Key, "keys:read"},
		{del, "/v1/api-keys/{key}", Admin, Key, "keys:write"},
		{get, "/v1/connectors", Admin, Key, "connectors:read"},
		{get, "/v1/connectors/{connector}", Admin, Key, "connectors:read"},
		{post, "/v1/sessions", Admin, Key, "sessions:write"},
		{del, "/v1/sessions/{session}", Admin, Key, "sessions:write"},
		{get, "/v1/tenants/{tenant}/connections", Admin, Key, "connections:read"},
		{get, "/v1/tenants/{tenant}/connections/{connection}", Admin, Key, "connections:read"},
		{del, "/v1/tenants/{tenant}/connections/{connection}", Admin, Key, "connections:write"},
		{post, "/v1/tenants/{tenant}/connections/{connection}/refresh", Admin, Key, "connections:write"},
		{post, "/v1/tenants/{tenant}/connections/{connection}/pause", Admin, Key, "connections:write"},
		{post, "/v1/tenants/{tenant}/connections/{connection}/resume", Admin, Key, "connections:write"},
		{get, "/v1/refresh/due", Admin, Key, "connections:read"},
		{get, "/v1/tenants/{tenant}/connections/{connection}/access", Admin, Key, "connections:read"},
		{put, "/v1/tenants/{tenant}/connections/{connection}/access", Admin, Key, "connections:write"},
		{del, "/v1/tenants/{tenant}/principals/{principal}", Admin, Key, "connections:write"},
		{get, "/v1/tenants/{tenant}/audit", Admin, Key, "audit:read"},
	}
}

// connectRoutes store credentials: for the back end, and for browsers.
func connectRoutes() []Route {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	return []Route{
		{put, "/v1/connectors/{connector}/client", Callback, Key, "clients:write"},
		{get, "/v1/connectors/{connector}/client", Callback, Key, "clients:read"},
		{del, "/v1/connectors/{connector}/client", Callback, Key, "clients:write"},
		{put, "/v1/tenants/{tenant}/connectors/{connector}/client", Callback, Key, "clients:write"},
		{get, "/v1/tenants/{tenant}/connectors/{connector}/client", Callback, Key, "clients:read"},
		{del, "/v1/tenants/{tenant}/connectors/{connector}/client", Callback, Key, "clients:write"},
		// Beside the other routes of connections, but answered by the function that may seal what a connection starts from.
		{post, "/v1/tenants/{tenant}/connections", Callback, Key, "connections:write"},
		{post, "/v1/connect-links", Callback, Key, "connections:write"},
		{get, "/v1/connect-links/{link}", Callback, Key, "connections:read"},
		{post, "/v1/connect-links/{link}/confirm", Callback, Key, "connections:write"},
		{get, "/v1/tenants/{tenant}/principals/{principal}/approvals", Callback, Key, "approvals:read"},
		{get, "/v1/tenants/{tenant}/principals/{principal}/approvals/{approval}", Callback, Key, "approvals:read"},
		{post, "/v1/tenants/{tenant}/principals/{principal}/approvals/{approval}/decision", Callback, Key, "approvals:write"},
		{post, "/v1/tenants/{tenant}/principals/{principal}/approvals/{approval}/link", Callback, Key, "approvals:write"},
		{get, "/approve/{token}", Callback, None, ""},
		{post, "/approve/{token}", Callback, None, ""},
		{get, "/connect/{link}", Callback, None, ""},
		{post, "/connect/{link}", Callback, None, ""},
		{get, "/oauth/callback", Callback, None, ""},
		{get, "/oauth/callback/{context}", Callback, None, ""},
	}
}

// webhookRoutes are how the SaaS is told what happens.
func webhookRoutes() []Route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []Route{
		{post, "/v1/webhooks", Notify, Key, "webhooks:write"},
		{get, "/v1/webhooks", Notify, Key, "webhooks:read"},
		{get, "/v1/webhooks/{webhook}", Notify, Key, "webhooks:read"},
		{del, "/v1/webhooks/{webhook}", Notify, Key, "webhooks:write"},
		{post, "/v1/webhooks/{webhook}/test", Notify, Key, "webhooks:write"},
		{post, "/v1/webhooks/{webhook}/rotate", Notify, Key, "webhooks:write"},
	}
}

// agentRoutes are what a session may do.
func agentRoutes() []Route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []Route{
		// A path of its own, since API Gateway asks one kind of credential per route, and an agent has no API key. Admin
		// answers it because it alone may sign.
		{post, "/v1/sessions/narrow", Admin, Session, ""},
		{get, "/v1/tools", Execute, Session, ""},
		{post, "/v1/execute", Execute, Session, ""},
		{post, "/v1/execute/batch", Execute, Session, ""},
		{"ANY", "/v1/proxy/{connector}/{path+}", Execute, Session, ""},
		// Admin answers it because execute may write the audit trail and not read it.
		{get, "/v1/executions/{execution}", Admin, Session, ""},
		// Without sessions there is no stream to open and nothing to end: GET and DELETE answer 405, as MCP asks.
		{post, "/mcp", Execute, Session, ""},
		{get, "/mcp", Execute, Session, ""},
		{del, "/mcp", Execute, Session, ""},
		{post, "/mcp/{view}", Execute, Session, ""},
		{get, "/mcp/{view}", Execute, Session, ""},
		{del, "/mcp/{view}", Execute, Session, ""},
	}
}

// tenantKeyRoutes are those of the keys function, which also takes _deployment in the tenant's place.
func tenantKeyRoutes() []Route {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	return []Route{
		{get, "/v1/tenants/{tenant}/keys", Keys, Key, "tenants:read"},
		{post, "/v1/tenants/{tenant}/keys/rotate", Keys, Key, "tenants:write"},
		{post, "/v1/tenants/{tenant}/keys/reseal", Keys, Key, "tenants:write"},
		{put, "/v1/tenants/{tenant}/kms-key", Keys, Key, "tenants:write"},
		{del, "/v1/tenants/{tenant}/kms-key", Keys, Key, "tenants:write"},
	}
}

// portalRoutes are where people see their own connections.
func portalRoutes() []Route {
	const get, post = http.MethodGet, http.MethodPost
	return []Route{
		{post, "/v1/portal-links", Portal, Key, "connections:write"},
		{get, "/portal", Portal, None, ""},
		{post, "/portal", Portal, None, ""},
		{get, "/portal/{link}", Portal, None, ""},
		{get, "/portal/connections/{connection}", Portal, None, ""},
		{post, "/portal/connections/{connection}", Portal, None, ""},
		{post, "/portal/logins/{login}", Portal, None, ""},
	}
}

// loginRoutes are the authorization server for MCP clients. The portal function meets browsers and fetches what strangers name; admin, which
// alone may sign, gives the tokens.
func loginRoutes() []Route {
	const get, post = http.MethodGet, http.MethodPost
	return []Route{
		{get, ServerMetadata, Admin, None, ""},
		{get, OpenIDMetadata, Admin, None, ""},
		{get, AuthorizePath, Portal, None, ""},
		{get, ConsentPath + "/{ticket}", Portal, None, ""},
		{post, ConsentPath + "/{ticket}", Portal, None, ""},
		{post, TokenPath, Admin, None, ""},
		{post, RevokePath, Admin, None, ""},
		{post, "/v1/mcp-logins", Portal, Key, "logins:write"},
	}
}
