package emulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// linear speaks like Linear: tokens of a day, a refresh token that is replaced
// at each use and works for half an hour more, and one GraphQL endpoint that
// answers 200 to most failures.
//
// It runs no GraphQL: it knows an operation by its root field.
//
// Sources: linear.app "OAuth 2.0 authentication" (24 hours, scopes separated by
// commas: doc), the replay window (reported), "Rate limiting" (400 with
// RATELIMITED: doc), other codes: assumed.
type linear struct {
	issues   map[string][]object // by org
	comments int
}

func newLinear() dialect {
	l := &linear{issues: map[string][]object{}}
	for _, org := range []string{"acme", "globex"} {
		l.issues[org] = []object{{"id": "issue-" + org, "identifier": "ENG-1", "title": "Login of " + org + " fails", "state": object{"name": "Todo", "type": "unstarted"}}}
	}
	return l
}

func (l *linear) traits() traits {
	return traits{
		name: "linear", title: "Linear", authorizePath: "/oauth/authorize", people: plainPeople("linear-"),
		defaults: Settings{AccessTTLSeconds: 86399, CodeTTLSeconds: 600, Rotation: RotationAlways, RefreshGraceSeconds: 1800, OnReuse: ReuseError},
		series:   []series{{name: "", param: "scope"}},
		shape: func(m mint, what tokenKind, _ string, _ Person) string {
			return map[tokenKind]string{kindAccess: "lin_oauth_", kindRefresh: "lin_refresh_"}[what] + m.hex(64)
		},
		redirectRepeat: true,
	}
}

// plainPeople are the four persons of the dialects that need nothing special.
func plainPeople(prefix string) []Person {
	return []Person{
		{Login: "alice", ID: prefix + "1001", Name: "Alice Anders", Email: "alice@acme.example", Org: "acme"},
		{Login: "bob", ID: prefix + "1002", Name: "Bob Brandt", Email: "bob@acme.example", Org: "acme"},
		{Login: "carol", ID: prefix + "1003", Name: "Carol Chen", Email: "carol@globex.example", Org: "globex"},
		{Login: "dave", ID: prefix + "1004", Name: "Dave Dunn", Email: "dave@globex.example", Org: "globex"},
	}
}

func (l *linear) routes() []route {
	return []route{
		{"POST /oauth/token", KindToken, l.token},
		{"POST /oauth/revoke", KindRevoke, l.revoke},
		{"POST /graphql", KindAPI, l.graphql},
	}
}

func (l *linear) token(c *call) reply {
	sets, why := c.answerToken()
	if why != nil {
		return l.refuse(c, *why)
	}
	set := sets[0]
	body := object{"access_token": set.access, "token_type": "Bearer", "expires_in": set.ttl, "scope": strings.Join(set.scopes, ",")}
	if set.refresh != "" {
		body["refresh_token"] = set.refresh
	}
	return jsonReply(http.StatusOK, body)
}

// revoke ends one token. Nothing else is known of it, so nothing else ends.
func (l *linear) revoke(c *call) reply {
	if c.token == nil || c.p.standing(c.token) == stateRevoked {
		return jsonReply(http.StatusBadRequest, object{"error": "invalid_request"}).failed("invalid_request")
	}
	c.token.end(c.p.now(), stateRevoked)
	c.revoked()
	return emptyReply(http.StatusOK)
}

func (l *linear) graphql(c *call) reply {
	if why := c.authenticated("read", "write"); why != nil {
		return l.refuse(c, *why)
	}
	query, _ := c.json["query"].(string)
	vars, _ := c.json["variables"].(map[string]any)
	input, _ := vars["input"].(map[string]any)
	list := l.issues[c.who.Org]
	page := object{"hasNextPage": false, "endCursor": nil}
	switch {
	case strings.Contains(query, "issueCreate("):
		return l.write(c, "issues:create", func() object {
			issue := object{"id": fmt.Sprintf("issue-%d", len(list)+1), "identifier": fmt.Sprintf("ENG-%d", len(list)+1), "title": input["title"]}
			l.issues[c.who.Org] = append(list, issue)
			return object{"issueCreate": object{"success": true, "issue": issue}}
		})
	case strings.Contains(query, "commentCreate("):
		return l.write(c, "comments:create", func() object {
			l.comments++
			return object{"commentCreate": object{"success": true, "comment": object{"id": "comment-" + strconv.Itoa(l.comments)}}}
		})
	case strings.Contains(query, "searchIssues("):
		return lnData(object{"searchIssues": object{"nodes": list, "pageInfo": page}})
	case strings.Contains(query, "issue("):
		for _, i := range list {
			if i["id"] == vars["id"] || i["identifier"] == vars["id"] {
				return lnData(object{"issue": i})
			}
		}
		return lnError(http.StatusOK, "INPUT_ERROR", "Entity not found: Issue")
	case strings.Contains(query, "teams("):
		return lnData(object{"teams": object{"nodes": []object{{"id": "team-" + c.who.Org, "key": "ENG", "name": "Engineering"}}, "pageInfo": page}})
	case strings.Contains(query, "viewer"):
		return lnData(object{"viewer": object{"id": c.who.ID, "name": c.who.Name, "email": c.who.Email}, "organization": object{"id": "org-" + c.who.Org, "name": c.who.Org, "urlKey": c.who.Org}})
	}
	return lnError(http.StatusBadRequest, "GRAPHQL_VALIDATION_FAILED", "Cannot query field")
}

func (l *linear) write(c *call, scope string, do func() object) reply {
	if why := c.authenticated(scope, "write"); why != nil {
		return l.refuse(c, *why)
	}
	return lnData(do())
}

func lnData(data object) reply { return jsonReply(http.StatusOK, object{"data": data}) }

func lnError(status int, code, text string) reply {
	return jsonReply(status, object{"data": nil, "errors": []object{{"message": text, "extensions": object{"code": code, "userPresentableMessage": text}}}}).failed(code)
}

func (l *linear) refuse(c *call, why refusal) reply {
	switch {
	case why.reason == reasonStatus:
		return lnError(why.status, "INTERNAL_SERVER_ERROR", http.StatusText(why.status))
	case c.kind == KindToken || c.kind == KindRefresh:
		return oauthError(why)
	case why.reason == reasonRateLimited:
		reset := c.p.now().Add(seconds(max(1, why.retryAfter))).UnixMilli()
		return lnError(http.StatusBadRequest, "RATELIMITED", "Rate limit exceeded").set("X-RateLimit-Requests-Reset", strconv.FormatInt(reset, 10)).
			set("Date", c.p.now().UTC().Format(http.TimeFormat)) // the time that the reset is counted from
	case why.reason == reasonScope:
		return lnError(http.StatusOK, "FORBIDDEN", "Invalid scope: `"+strings.Join(why.needed, "` or `")+"` required")
	case why.reason == reasonCoded:
		return lnError(http.StatusOK, why.code, why.code)
	}
	return lnError(http.StatusUnauthorized, "AUTHENTICATION_ERROR", "Authentication required, not authenticated")
}

// oauthError words a refusal of the token endpoint as RFC 6749, section 5.2, does.
func oauthError(why refusal) reply {
	status, code := http.StatusBadRequest, "invalid_grant"
	switch why.reason {
	case reasonClientID, reasonClientSecret:
		status, code = http.StatusUnauthorized, "invalid_client"
	case reasonGrantType:
		code = "unsupported_grant_type"
	case reasonRequest:
		code = "invalid_request"
	case reasonRateLimited:
		status, code = http.StatusTooManyRequests, "slow_down"
	case reasonCoded:
		code = why.code
	}
	return jsonReply(status, object{"error": code, "error_description": string(why.reason)}).failed(code)
}
