package emulator

import (
	"net/http"
	"time"
)

// dialects lists every emulated provider, each with fresh API data.
func dialects() []dialect {
	return []dialect{newGitHub(), newSlack(), newSalesforce(), newStripe(), newBigQuery(), newSnowflake(), newZendesk(),
		newLinear(), newGmail(), newHubSpot(), newGitHubApp()}
}

// dialect is one provider's manner of speaking. Whatever all providers have in
// common (codes, grants, rotation, faults, the log) is in the engine.
type dialect interface {
	traits() traits
	// routes are the paths below the provider's prefix, except the authorization
	// page, which the engine serves. Handlers run under the provider's lock.
	routes() []route
	// refuse says no in the provider's words. It runs under the provider's lock.
	refuse(c *call, why refusal) reply
}

// keyed is a dialect at which people make credentials themselves, on a settings
// page. It runs under the provider's lock and returns what they would paste into
// the fields of a connector's form.
type keyed interface {
	credential(p *provider, who Person) (map[string]string, error)
}

// traits is what differs between providers and fits in data.
type traits struct {
	name  string // path prefix and name in the admin API
	title string // shown on the authorization page
	// people who can sign in; the first is preselected.
	people []Person
	// defaults are the lifetimes and rotation before anyone changes settings.
	defaults Settings
	// authorizePath is where the page is, below the prefix; empty: there is none.
	authorizePath string
	// present finds the credential of an API call where it is no bearer.
	present func(r *http.Request) string
	// denied is the error_description sent with access_denied; may be empty.
	denied string
	// series are the token sets of one authorisation, by authorize parameter.
	series []series
	// shape makes the cleartext of a new token or code.
	shape func(m mint, what tokenKind, set string, who Person) string

	responseTypeOptional bool // GitHub and Slack do not ask for response_type
	grantTypeOptional    bool // absent grant_type means authorization_code
	redirectPrefix       bool // registered redirect URI covers deeper paths
	redirectRepeat       bool // redirect_uri must be repeated at the token endpoint
	refuseParallel       bool // a second refresh in flight is refused
	oldAccessDies        bool // a refresh kills the previous access token
	refreshNeedsTTL      bool // no refresh token when access tokens never expire
	refreshScopes        []string
}

// series is one token set: Slack gives a bot and a user token at once.
type series struct{ name, param string }

// Person is somebody with an account at a provider.
type Person struct {
	Login string `json:"login"` // what to sign in as: alice
	ID    string `json:"id"`    // the provider's own id
	Name  string `json:"name"`
	Email string `json:"email"`
	Org   string `json:"org"` // workspace or org: acme, globex
}

// route is one endpoint below the provider's prefix.
type route struct {
	pattern string // http.ServeMux pattern without the prefix: "GET /api/user"
	kind    Kind
	do      func(*call) reply
}

// reason is why the engine says no, before a dialect words it.
type reason string

const (
	reasonRequest        reason = "invalid_request"
	reasonGrantType      reason = "unsupported_grant_type"
	reasonClientID       reason = "unknown_client"
	reasonClientSecret   reason = "bad_client_secret"
	reasonCode           reason = "bad_code"
	reasonVerifier       reason = "bad_verifier"
	reasonRedirect       reason = "redirect_mismatch"
	reasonRefresh        reason = "bad_refresh_token"
	reasonRefreshReused  reason = "refresh_token_reused"
	reasonRefreshExpired reason = "refresh_token_expired"
	reasonRefreshRevoked reason = "refresh_token_revoked"
	reasonBusy           reason = "refresh_in_progress"
	reasonNoToken        reason = "no_token"
	reasonBadToken       reason = "bad_token"
	reasonTokenExpired   reason = "token_expired"
	reasonTokenRevoked   reason = "token_revoked"
	reasonScope          reason = "missing_scope"
	reasonNotFound       reason = "not_found"
	reasonRateLimited    reason = "rate_limited"
	reasonStatus         reason = "status" // ordered by a fault
	reasonCoded          reason = "coded"  // ordered by a fault
)

// refusal is a reason with what a dialect may want to tell about it.
type refusal struct {
	reason     reason
	needed     []string // scopes, any of which would do
	status     int      // for reasonStatus; 0 otherwise
	code       string   // for reasonCoded
	retryAfter int      // seconds; 0: do not say
}

// no is shorthand for a refusal that carries only a reason.
func no(r reason) *refusal { return &refusal{reason: r} }

// seconds turns a settings value into a duration.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
