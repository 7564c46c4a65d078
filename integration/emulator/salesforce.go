package emulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// salesforce speaks like Salesforce: no expires_in (ask introspect, or meet
// INVALID_SESSION_ID), an instance_url per org that the API lives on, a refresh
// token only for the scope refresh_token or offline_access and without rotation
// unless Settings.Rotation is always, and then reuse revokes everything.
//
// Sources: help.salesforce.com "OAuth 2.0 Refresh Token Flow" (rotation, missing
// expires_in: doc), forcedotcom/sfdx-core pull request 1342 (refusal of a second
// refresh in flight: reported), Mobile SDK guide "Revoking tokens" (shape and
// effect: doc), forcedotcom/SalesforceMobileSDK-Android pull request 2430
// (userinfo answers 403 where the API answers 401: reported), API error codes:
// assumed. Session lifetimes that slide with use are not emulated: expiry is
// fixed, as for JWT access tokens.
type salesforce struct {
	records []*sfRecord
	made    int // for record ids
}

func newSalesforce() dialect {
	s := &salesforce{}
	s.seed()
	return s
}

func (s *salesforce) traits() traits {
	return traits{
		name: "salesforce", title: "Salesforce", authorizePath: "/services/oauth2/authorize",
		denied: "end-user denied authorization",
		people: []Person{
			{Login: "alice", ID: "0055g00000AliceAAA", Name: "Alice Anders", Email: "alice@acme.example", Org: "acme"},
			{Login: "bob", ID: "0055g00000Bob00AAA", Name: "Bob Brandt", Email: "bob@acme.example", Org: "acme"},
			{Login: "carol", ID: "0055g00000CarolAAA", Name: "Carol Chen", Email: "carol@globex.example", Org: "globex"},
			{Login: "dave", ID: "0055g00000Dave0AAA", Name: "Dave Dunn", Email: "dave@globex.example", Org: "globex"},
		},
		defaults: Settings{AccessTTLSeconds: 7200, CodeTTLSeconds: 600, Rotation: RotationNone, OnReuse: ReuseRevokes},
		series:   []series{{name: "", param: "scope"}},
		shape: func(m mint, what tokenKind, _ string, who Person) string {
			switch what {
			case kindAccess:
				return sfOrgID(who.Org)[:15] + "!AR" + m.text(94)
			case kindRefresh:
				return "5Aep861" + m.text(80)
			}
			return "aPrx" + m.text(72)
		},
		redirectRepeat: true, refuseParallel: true,
		refreshScopes: []string{"refresh_token", "offline_access"},
	}
}

func (s *salesforce) routes() []route {
	var out []route
	// The OAuth endpoints answer on the login host and on each instance.
	for _, at := range []string{"", "/instances/{org}"} {
		oauth := at + "/services/oauth2"
		out = append(out,
			route{"POST " + oauth + "/token", KindToken, s.token},
			route{"POST " + oauth + "/revoke", KindRevoke, s.revoke},
			route{"POST " + oauth + "/introspect", KindIntrospect, s.introspect},
			route{"GET " + oauth + "/userinfo", KindAPI, s.userInfo},
			route{"POST " + oauth + "/userinfo", KindAPI, s.userInfo},
			route{"GET " + at + "/id/{org_id}/{user_id}", KindAPI, s.userInfo})
	}
	return append(out, s.apiRoutes()...)
}

// token answers the token endpoint. The signature lets a client check that the
// identity URL was not changed on the way: HMAC-SHA256 of id and issued_at under
// the client secret.
func (s *salesforce) token(c *call) reply {
	sets, why := c.answerToken()
	if why != nil {
		return s.refuse(c, *why)
	}
	set := sets[0]
	id := s.identityURL(c, set.who)
	at := strconv.FormatInt(set.at.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(c.given))
	mac.Write([]byte(id + at))
	body := object{
		"access_token": set.access, "token_type": "Bearer", "instance_url": s.instanceURL(c, set.who), "id": id,
		"issued_at": at, "signature": base64.StdEncoding.EncodeToString(mac.Sum(nil)), "scope": strings.Join(set.scopes, " "),
	}
	if set.refresh != "" {
		body["refresh_token"] = set.refresh
	}
	return jsonReply(http.StatusOK, body)
}

// revoke: a refresh token takes its access tokens with it, an access token goes
// alone ("access token alone leaves refresh token alive").
func (s *salesforce) revoke(c *call) reply {
	if c.token == nil || c.p.standing(c.token) != stateLive {
		return sfOAuthError(http.StatusBadRequest, "invalid_token", "invalid token: "+sfTokenWord(c))
	}
	if c.token.Kind == kindRefresh {
		c.p.endGrant(c.token.GrantID, "revoked_by_app")
	} else {
		c.token.end(c.p.now(), stateRevoked)
	}
	c.revoked()
	return emptyReply(http.StatusOK)
}

func sfTokenWord(c *call) string {
	if c.token == nil {
		return "unknown"
	}
	return c.p.standing(c.token)
}

// introspect is RFC 7662 for the app's own tokens. It is the only way to learn
// when a token expires.
func (s *salesforce) introspect(c *call) reply {
	if why := c.authenticateClient(); why != nil {
		return s.refuse(c, *why)
	}
	if c.token == nil || c.grant.ClientID != c.client.ID || c.p.standing(c.token) != stateLive {
		return jsonReply(http.StatusOK, object{"active": false})
	}
	body := object{
		"active": true, "scope": strings.Join(c.token.Scopes, " "), "client_id": c.client.ID, "username": sfUsername(*c.who),
		"sub": s.identityURL(c, *c.who), "token_type": string(c.token.Kind) + "_token",
		"iat": c.token.IssuedAt.Unix(), "nbf": c.token.IssuedAt.Unix(),
	}
	if !c.token.ExpiresAt.IsZero() {
		body["exp"] = c.token.ExpiresAt.Unix()
	}
	return jsonReply(http.StatusOK, body)
}

// refuse: OAuth errors (RFC 6749 section 5.2) at the OAuth endpoints, an array
// of errorCode and message at the API.
func (s *salesforce) refuse(c *call, why refusal) reply {
	var out reply
	if c.kind == KindAPI {
		status, code, text := sfAPIError(why)
		out = sfError(status, code, text)
	} else {
		out = sfOAuthError(sfTokenError(why))
	}
	if why.retryAfter > 0 {
		out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
	}
	return out
}

// sfTokenError maps reasons to status, error and description. One trap is kept:
// "token request is already being processed" looks like a dead grant and is not.
func sfTokenError(why refusal) (status int, code, text string) {
	const bad = http.StatusBadRequest
	switch why.reason {
	case reasonBusy:
		return bad, "invalid_grant", "token request is already being processed"
	case reasonRefresh, reasonRefreshReused, reasonRefreshExpired, reasonRefreshRevoked:
		return bad, "invalid_grant", "expired access/refresh token"
	case reasonCode:
		return bad, "invalid_grant", "expired authorization code"
	case reasonVerifier:
		return bad, "invalid_grant", "invalid code verifier"
	case reasonRedirect:
		return bad, "redirect_uri_mismatch", "redirect_uri must match configuration"
	case reasonClientID:
		return bad, "invalid_client_id", "client identifier invalid"
	case reasonClientSecret:
		return bad, "invalid_client", "invalid client credentials"
	case reasonGrantType:
		return bad, "unsupported_grant_type", "grant type not supported"
	case reasonRateLimited:
		return max(why.status, http.StatusForbidden), "rate_limit_exceeded", "login rate exceeded"
	case reasonStatus:
		return why.status, "unknown_error", "retry your request"
	case reasonCoded:
		return bad, why.code, "ordered by a fault"
	}
	return bad, "invalid_request", "malformed request"
}

func sfOAuthError(status int, code, text string) reply {
	return jsonReply(status, object{"error": code, "error_description": text}).failed(code)
}

func (s *salesforce) instanceURL(c *call, who Person) string {
	return c.p.srv.baseURL(c.r) + "/salesforce/instances/" + who.Org
}

func (s *salesforce) identityURL(c *call, who Person) string {
	return c.p.srv.baseURL(c.r) + "/salesforce/id/" + sfOrgID(who.Org) + "/" + who.ID
}

func sfOrgID(org string) string {
	if org == "globex" {
		return "00D5g00000GlobeEAA"
	}
	return "00D5g00000AcmeXEAA"
}

// sfUsername is unique over all of Salesforce and only looks like an address.
func sfUsername(p Person) string { return p.Login + "@" + p.Org + ".salesforce.example" }
