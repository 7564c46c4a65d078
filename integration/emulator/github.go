package emulator

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// github speaks like GitHub with expiring user tokens.
//
// Two real shapes are merged so that one emulator shows the habits of both:
// tokens of a GitHub App (ghu_ and ghr_, 8 hours, rotation without grace) and the
// scopes of an OAuth app. An app registered with fixed scopes and asked for none
// behaves as a GitHub App does.
//
// Sources: docs.github.com "Refreshing user access tokens" (lifetimes; old
// refresh and access token stop at once: doc), coder/coder (bad_refresh_token on
// HTTP 200: reported), docs.github.com "Authorizing OAuth apps" (redirect below
// the registered one, form-encoded answers: doc), GitHub REST reference (paths:
// doc), rate limit headers and 404 for a missing scope: assumed.
type github struct {
	repos  []*ghRepo
	issues map[int64][]*ghIssue // by repository id
	nextID int64
	used   map[string]*ghWindow // API calls by login
}

// ghWindow counts the calls of one clock hour.
type ghWindow struct {
	start time.Time
	used  int
}

// ghHourly is the documented limit per user. It is shown in headers and not
// enforced: only an ordered fault makes the emulator refuse.
const ghHourly = 5000

func newGitHub() dialect {
	g := &github{issues: map[int64][]*ghIssue{}, used: map[string]*ghWindow{}}
	g.seed()
	return g
}

func (g *github) traits() traits {
	return traits{
		name: "github", title: "GitHub", authorizePath: "/login/oauth/authorize",
		denied: "The user has denied your application access.",
		people: []Person{
			{Login: "alice", ID: "1001", Name: "Alice Anders", Email: "alice@acme.example", Org: "acme"},
			{Login: "bob", ID: "1002", Name: "Bob Brandt", Email: "bob@acme.example", Org: "acme"},
			{Login: "carol", ID: "1003", Name: "Carol Chen", Email: "carol@globex.example", Org: "globex"},
			{Login: "dave", ID: "1004", Name: "Dave Dunn", Email: "dave@globex.example", Org: "globex"},
		},
		defaults: Settings{AccessTTLSeconds: 28800, RefreshTTLSeconds: 15897600, CodeTTLSeconds: 600,
			Rotation: RotationAlways, OnReuse: ReuseError},
		series: []series{{name: "", param: "scope"}},
		shape: func(m mint, what tokenKind, _ string, _ Person) string {
			switch what {
			case kindAccess:
				return "ghu_" + m.text(36)
			case kindRefresh:
				return "ghr_" + m.text(76)
			}
			return m.hex(20)
		},
		responseTypeOptional: true, grantTypeOptional: true, redirectPrefix: true,
		oldAccessDies: true, refreshNeedsTTL: true,
	}
}

func (g *github) routes() []route {
	return append([]route{
		{"POST /login/oauth/access_token", KindToken, g.token},
		{"DELETE /api/applications/{client_id}/token", KindRevoke, g.revokeToken},
		{"DELETE /api/applications/{client_id}/grant", KindRevoke, g.revokeGrant},
		{"POST /api/credentials/revoke", KindRevoke, g.revokeLeaked},
	}, g.apiRoutes()...)
}

// token answers the token endpoint: 200 whatever happens, form-encoded unless
// JSON is asked for.
func (g *github) token(c *call) reply {
	sets, why := c.answerToken()
	if why != nil {
		return g.refuse(c, *why)
	}
	set := sets[0]
	pairs := []string{"access_token", set.access, "token_type", "bearer", "scope", strings.Join(set.scopes, ",")}
	numbers := map[string]int{}
	if set.ttl > 0 {
		numbers["expires_in"] = set.ttl
	}
	if set.refresh != "" {
		pairs = append(pairs, "refresh_token", set.refresh)
		if set.refTTL > 0 {
			numbers["refresh_token_expires_in"] = set.refTTL
		}
	}
	return g.encode(c, pairs, numbers)
}

// encode writes JSON or a form, as GitHub's token endpoint does.
func (g *github) encode(c *call, pairs []string, numbers map[string]int) reply {
	if strings.Contains(c.r.Header.Get("Accept"), "json") {
		body := object{}
		for i := 0; i+1 < len(pairs); i += 2 {
			body[pairs[i]] = pairs[i+1]
		}
		for name, n := range numbers {
			body[name] = n
		}
		return jsonReply(http.StatusOK, body)
	}
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	for name, n := range numbers {
		form.Set(name, strconv.Itoa(n))
	}
	out := reply{status: http.StatusOK, body: []byte(form.Encode()), outcome: "ok"}
	return out.set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8").set("Cache-Control", "no-store")
}

// refuse words a refusal: error codes on HTTP 200 at the token endpoint, a
// status with a message elsewhere.
func (g *github) refuse(c *call, why refusal) reply {
	tokenEndpoint := c.kind == KindToken || c.kind == KindRefresh
	if tokenEndpoint && why.status == 0 && why.reason != reasonRateLimited {
		code, text := ghTokenError(why)
		return g.encode(c, []string{"error", code, "error_description", text,
			"error_uri", "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/"}, nil).failed(code)
	}
	status, text := ghAPIError(why)
	out := jsonReply(status, object{"message": text, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)})
	if why.reason == reasonScope {
		out = out.set("X-Accepted-OAuth-Scopes", strings.Join(why.needed, ", "))
	}
	if why.retryAfter > 0 {
		out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
	}
	out = g.withHeaders(c, out, why.reason == reasonRateLimited)
	return out.failed(text)
}

// ghTokenError maps reasons to the codes of GitHub's troubleshooting pages. The
// page names no code for a wrong PKCE verifier; bad_verification_code: assumed.
func ghTokenError(why refusal) (code, text string) {
	switch why.reason {
	case reasonClientID, reasonClientSecret:
		return "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."
	case reasonRedirect:
		return "redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL for this application."
	case reasonRefresh, reasonRefreshReused, reasonRefreshExpired, reasonRefreshRevoked:
		return "bad_refresh_token", "The refresh token passed is incorrect or expired."
	case reasonGrantType:
		return "unsupported_grant_type", "The grant type passed is not supported."
	case reasonRequest:
		return "invalid_request", "The request is malformed."
	case reasonCoded:
		return why.code, "Ordered by a fault."
	}
	return "bad_verification_code", "The code passed is incorrect or expired."
}

// ghAPIError maps reasons to status and message of the REST API. A primary rate
// limit answers 403, a secondary one 429 (docs.github.com "Rate limits").
func ghAPIError(why refusal) (status int, text string) {
	switch why.reason {
	case reasonNoToken:
		return http.StatusUnauthorized, "Requires authentication"
	case reasonBadToken, reasonTokenExpired, reasonTokenRevoked, reasonClientID, reasonClientSecret:
		return http.StatusUnauthorized, "Bad credentials"
	case reasonRateLimited:
		if why.status == http.StatusTooManyRequests {
			return why.status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
		}
		return http.StatusForbidden, "API rate limit exceeded for user."
	case reasonStatus:
		return why.status, http.StatusText(why.status)
	case reasonCoded:
		return http.StatusForbidden, why.code
	case reasonRequest:
		return http.StatusUnprocessableEntity, "Validation Failed"
	}
	return http.StatusNotFound, "Not Found" // also for a missing scope: GitHub hides what it will not show
}

// withHeaders adds the scope and rate limit headers of every API answer.
func (g *github) withHeaders(c *call, out reply, exhausted bool) reply {
	if c.token == nil || c.kind != KindAPI {
		return out
	}
	now := c.p.now().UTC()
	w := g.used[c.login()]
	if w == nil || now.Sub(w.start) >= time.Hour {
		w = &ghWindow{start: now}
		g.used[c.login()] = w
	}
	w.used++
	remaining := max(1, ghHourly-w.used)
	if exhausted {
		remaining = 0
	}
	if out.header.Get("X-Accepted-OAuth-Scopes") == "" {
		out = out.set("X-Accepted-OAuth-Scopes", "")
	}
	return out.set("X-OAuth-Scopes", strings.Join(c.token.Scopes, ", ")).
		set("X-RateLimit-Limit", strconv.Itoa(ghHourly)).
		set("X-RateLimit-Remaining", strconv.Itoa(remaining)).
		set("X-RateLimit-Used", strconv.Itoa(ghHourly-remaining)).
		set("X-RateLimit-Reset", strconv.FormatInt(w.start.Add(time.Hour).Unix(), 10)).
		set("X-RateLimit-Resource", "core")
}
