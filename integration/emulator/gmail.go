package emulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// gmail speaks like Google's consent and token endpoint for web applications,
// and like the Gmail API.
//
// Sources: developers.google.com "Using OAuth 2.0 for Web Server Applications"
// (offline access, prompt=consent, no rotation, 100 refresh tokens per account
// and client: doc), revocation of everything a person gave to the client:
// assumed, 403 for rate limits: reported.
type gmail struct {
	sent map[string]int // by login
	read map[string]bool
}

func newGmail() dialect { return &gmail{sent: map[string]int{}, read: map[string]bool{}} }

const gmScope = "https://www.googleapis.com/auth/gmail."

func (g *gmail) traits() traits {
	return traits{
		name: "gmail", title: "Google", authorizePath: "/o/oauth2/v2/auth", people: plainPeople("10800000000000"),
		defaults: Settings{AccessTTLSeconds: 3599, CodeTTLSeconds: 600, Rotation: RotationNone, OnReuse: ReuseError, MaxGrants: 100},
		series:   []series{{name: "", param: "scope"}},
		shape: func(m mint, what tokenKind, _ string, _ Person) string {
			return map[tokenKind]string{kindAccess: "ya29.a0", kindRefresh: "1//0", kindCode: "4/0"}[what] + m.text(120)
		},
		redirectRepeat: true,
	}
}

func (g *gmail) routes() []route {
	const me = "/gmail/v1/users/me/"
	return []route{
		{"POST /token", KindToken, g.token},
		{"POST /revoke", KindRevoke, g.revoke},
		g.api("GET /v1/userinfo", g.userinfo, "openid"),
		g.api("GET "+me+"profile", g.profile, gmScope+"readonly", gmScope+"modify"),
		g.api("GET "+me+"messages", g.messages, gmScope+"readonly", gmScope+"modify"),
		g.api("GET "+me+"messages/{id}", g.message, gmScope+"readonly", gmScope+"modify"),
		g.api("GET "+me+"labels", g.labels, gmScope+"readonly", gmScope+"modify"),
		g.api("POST "+me+"messages/send", g.send, gmScope+"send", gmScope+"modify"),
		g.api("POST "+me+"messages/{id}/modify", g.message, gmScope+"modify"),
	}
}

func (g *gmail) token(c *call) reply {
	sets, why := c.answerToken()
	if why != nil {
		return g.refuse(c, *why)
	}
	set := sets[0]
	body := object{"access_token": set.access, "expires_in": set.ttl, "token_type": "Bearer", "scope": strings.Join(set.scopes, " ")}
	if set.refresh != "" {
		body["refresh_token"] = set.refresh
	}
	return jsonReply(http.StatusOK, body)
}

// revoke takes any token, without the client, and ends everything that the
// person granted to it.
func (g *gmail) revoke(c *call) reply {
	if c.token == nil || c.p.standing(c.token) == stateRevoked {
		return jsonReply(http.StatusBadRequest, object{"error": "invalid_token", "error_description": "Token expired or revoked"}).failed("invalid_token")
	}
	c.p.endGrantsOf(c.grant.Login, c.grant.ClientID, "revoked_by_app")
	c.revoked()
	return jsonReply(http.StatusOK, object{})
}

func (g *gmail) api(pattern string, do func(*call) reply, anyOf ...string) route {
	return route{pattern, KindAPI, func(c *call) reply {
		if why := c.authenticated(anyOf...); why != nil {
			return g.refuse(c, *why)
		}
		return do(c)
	}}
}

func (g *gmail) refuse(c *call, why refusal) reply {
	if (c.kind == KindToken || c.kind == KindRefresh) && why.reason != reasonStatus {
		return oauthError(why)
	}
	switch why.reason {
	case reasonRateLimited:
		out := bqError(http.StatusForbidden, "PERMISSION_DENIED", "userRateLimitExceeded", "User Rate Limit Exceeded")
		if why.retryAfter > 0 {
			out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
		}
		return out
	case reasonStatus:
		return bqError(why.status, "UNAVAILABLE", "backendError", http.StatusText(why.status))
	case reasonCoded:
		return bqError(http.StatusBadRequest, "INVALID_ARGUMENT", why.code, why.code)
	case reasonScope:
		return bqError(http.StatusForbidden, "PERMISSION_DENIED", "insufficientPermissions", "Request had insufficient authentication scopes.").
			set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="insufficient_scope"`)
	case reasonNotFound:
		return bqError(http.StatusNotFound, "NOT_FOUND", "notFound", "Requested entity was not found.")
	}
	return bqError(http.StatusUnauthorized, "UNAUTHENTICATED", "authError", "Invalid Credentials")
}

func (g *gmail) userinfo(c *call) reply {
	return jsonReply(http.StatusOK, object{"sub": c.who.ID, "name": c.who.Name, "email": c.who.Email, "email_verified": true, "hd": c.who.Org + ".example"})
}

func (g *gmail) profile(c *call) reply {
	return jsonReply(http.StatusOK, object{"emailAddress": c.who.Email, "messagesTotal": 1 + g.sent[c.login()], "threadsTotal": 1, "historyId": "1"})
}

func (g *gmail) messages(c *call) reply {
	id := "18c2" + c.login()
	return jsonReply(http.StatusOK, object{"messages": []object{{"id": id, "threadId": id}}, "resultSizeEstimate": 1})
}

// message reads one, or changes its labels: it is unread until somebody did.
func (g *gmail) message(c *call) reply {
	id := c.r.PathValue("id")
	if id != "18c2"+c.login() {
		return g.refuse(c, refusal{reason: reasonNotFound})
	}
	if c.r.Method == http.MethodPost {
		g.read[id] = true
	}
	labels := []string{"INBOX", "UNREAD"}
	if g.read[id] {
		labels = labels[:1]
	}
	return jsonReply(http.StatusOK, object{"id": id, "threadId": id, "labelIds": labels, "snippet": "Welcome, " + c.who.Name})
}

func (g *gmail) labels(*call) reply {
	return jsonReply(http.StatusOK, object{"labels": []object{{"id": "INBOX", "name": "INBOX", "type": "system"}, {"id": "UNREAD", "name": "UNREAD", "type": "system"}}})
}

func (g *gmail) send(c *call) reply {
	if c.bodyArg("raw") == "" {
		return bqError(http.StatusBadRequest, "INVALID_ARGUMENT", "invalidArgument", "'raw' RFC822 payload message string or uploading message via /upload/* URL required")
	}
	g.sent[c.login()]++
	id := fmt.Sprintf("18d%d%s", g.sent[c.login()], c.login())
	return jsonReply(http.StatusOK, object{"id": id, "threadId": id, "labelIds": []string{"SENT"}})
}
