package emulator

import (
	"net/http"
	"strconv"
	"strings"
)

// slack speaks like Slack with token rotation switched on.
//
// Sources: docs.slack.dev "Using token rotation" (12 hours; refresh token used
// once: doc), python-slack-sdk (separate refresh of bot and user token, xoxe
// prefixes: reported), reference of oauth.v2.access, oauth.v2.exchange and the
// API methods (error names, HTTP 200 with ok=false: doc). Not documented, so
// assumed: a refresh leaves the previous access token alive until it expires; a
// wrong PKCE verifier is invalid_code; auth.revoke kills the calling token only.
//
// One deviation: auth.test with a bot token answers the authorising person's
// user_id (Slack answers the bot's own user), so that an identity probe tells
// people apart. With a user token (authorize parameter user_scope) it is what
// Slack does.
type slack struct {
	channels []*slChannel
	sent     int // for unique timestamps
}

func newSlack() dialect {
	s := &slack{}
	s.seed()
	return s
}

func (s *slack) traits() traits {
	return traits{
		name: "slack", title: "Slack", authorizePath: "/oauth/v2/authorize",
		people: []Person{
			{Login: "alice", ID: "U0ALICE001", Name: "Alice Anders", Email: "alice@acme.example", Org: "acme"},
			{Login: "bob", ID: "U0BOB00001", Name: "Bob Brandt", Email: "bob@acme.example", Org: "acme"},
			{Login: "carol", ID: "U0CAROL001", Name: "Carol Chen", Email: "carol@globex.example", Org: "globex"},
			{Login: "dave", ID: "U0DAVE0001", Name: "Dave Dunn", Email: "dave@globex.example", Org: "globex"},
		},
		defaults: Settings{AccessTTLSeconds: 43200, CodeTTLSeconds: 600, Rotation: RotationAlways, OnReuse: ReuseError},
		series:   []series{{name: "bot", param: "scope"}, {name: "user", param: "user_scope"}},
		shape: func(m mint, what tokenKind, set string, _ Person) string {
			prefix := map[string]string{"bot": "xoxb", "user": "xoxp"}[set]
			switch what {
			case kindAccess:
				return "xoxe." + prefix + "-1-" + m.text(120)
			case kindRefresh:
				return "xoxe-1-" + m.text(146)
			}
			return m.digits(11) + "." + m.digits(13) + "." + m.hex(64)
		},
		responseTypeOptional: true, grantTypeOptional: true, refreshNeedsTTL: true,
	}
}

func (s *slack) routes() []route {
	return append([]route{
		{"POST /api/oauth.v2.access", KindToken, s.token},
		{"/api/auth.revoke", KindRevoke, s.revoke},
		{"/api/apps.uninstall", KindRevoke, s.uninstall},
	}, s.apiRoutes()...)
}

// token answers oauth.v2.access. A code brings bot and user token together; a
// refresh brings the one that was presented, at the top level.
func (s *slack) token(c *call) reply {
	sets, why := c.answerToken()
	if why != nil {
		return s.refuse(c, *why)
	}
	who := sets[0].who
	body := object{"ok": true, "app_id": "A0EMULATED", "team": slTeam(who.Org), "enterprise": nil, "is_enterprise_install": false}
	user := object{"id": who.ID}
	for _, set := range sets {
		into := body
		if set.series == "user" && c.kind == KindToken {
			into = user
		}
		into["access_token"], into["token_type"], into["scope"] = set.access, set.series, strings.Join(set.scopes, ",")
		if set.series == "bot" {
			into["bot_user_id"] = slBot(who.Org).ID
		}
		if set.refresh != "" {
			into["refresh_token"] = set.refresh
		}
		if set.ttl > 0 {
			into["expires_in"] = set.ttl
		}
	}
	body["authed_user"] = user
	return jsonReply(http.StatusOK, body)
}

// revoke is auth.revoke: the calling token dies, nothing else; with test=1
// nothing does.
func (s *slack) revoke(c *call) reply {
	if c.token != nil && c.token.Kind == kindRefresh && c.p.standing(c.token) == stateLive {
		c.token.end(c.p.now(), stateRevoked)
		c.revoked()
		return jsonReply(http.StatusOK, object{"ok": true, "revoked": true})
	}
	if why := c.authenticated(); why != nil {
		return s.refuse(c, *why)
	}
	if t := c.arg("test"); t == "1" || t == "true" {
		return jsonReply(http.StatusOK, object{"ok": true, "revoked": false})
	}
	c.token.end(c.p.now(), stateRevoked)
	c.revoked()
	return jsonReply(http.StatusOK, object{"ok": true, "revoked": true})
}

// uninstall is apps.uninstall: with the app's credentials and one of its tokens
// every token of the whole workspace dies, not only the caller's.
func (s *slack) uninstall(c *call) reply {
	if why := c.authenticated(); why != nil {
		return s.refuse(c, *why)
	}
	if why := c.authenticateClient(); why != nil {
		return s.refuse(c, *why)
	}
	if c.grant.ClientID != c.client.ID {
		return s.refuse(c, refusal{reason: reasonClientID})
	}
	for _, x := range c.p.tr.people {
		if x.Org == c.who.Org {
			c.p.endGrantsOf(x.Login, c.client.ID, "app_uninstalled")
		}
	}
	c.revoked()
	return jsonReply(http.StatusOK, object{"ok": true})
}

// refuse answers ok=false on HTTP 200; only rate limits and outages have a
// status of their own.
func (s *slack) refuse(c *call, why refusal) reply {
	code, status := slError(why), http.StatusOK
	if why.reason == reasonStatus {
		status = why.status
	}
	body := object{"ok": false, "error": code}
	out := jsonReply(status, body)
	switch why.reason {
	case reasonScope:
		body["needed"], body["provided"] = strings.Join(why.needed, ","), strings.Join(c.token.Scopes, ",")
		out = jsonReply(status, body)
	case reasonRateLimited:
		out = jsonReply(http.StatusTooManyRequests, body).set("Retry-After", strconv.Itoa(max(1, why.retryAfter)))
	case reasonStatus:
		if why.retryAfter > 0 {
			out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
		}
	}
	return slHeaders(c, out, why.needed).failed(code)
}

// slError maps reasons to Slack's error names.
func slError(why refusal) string {
	switch why.reason {
	case reasonStatus:
		if why.status == http.StatusServiceUnavailable {
			return "service_unavailable"
		}
		return "internal_error"
	case reasonCoded:
		return why.code
	}
	name, ok := map[reason]string{
		reasonRequest: "invalid_arguments", reasonGrantType: "invalid_grant_type",
		reasonClientID: "invalid_client_id", reasonClientSecret: "bad_client_secret",
		reasonCode: "invalid_code", reasonVerifier: "invalid_code", reasonRedirect: "bad_redirect_uri",
		reasonRefresh: "invalid_refresh_token", reasonRefreshReused: "invalid_refresh_token",
		reasonRefreshExpired: "invalid_refresh_token", reasonRefreshRevoked: "token_revoked",
		reasonNoToken: "not_authed", reasonBadToken: "invalid_auth", reasonTokenExpired: "token_expired",
		reasonTokenRevoked: "token_revoked", reasonScope: "missing_scope", reasonRateLimited: "ratelimited",
		reasonNotFound: "unknown_method",
	}[why.reason]
	if !ok {
		return "fatal_error"
	}
	return name
}

// slHeaders tells granted and needed scopes on every authenticated answer.
func slHeaders(c *call, out reply, needed []string) reply {
	if c.token == nil || c.kind == KindToken || c.kind == KindRefresh {
		return out
	}
	out = out.set("X-OAuth-Scopes", strings.Join(c.token.Scopes, ","))
	if len(needed) > 0 {
		out = out.set("X-Accepted-OAuth-Scopes", strings.Join(needed, ","))
	}
	return out
}
