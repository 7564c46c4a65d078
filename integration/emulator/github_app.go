package emulator

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// githubApp speaks like GitHub to an app and its installations: the app signs, and
// gets a token of an hour for any of its installations, whoever asks.
//
// Each credential of a person is a fresh installation in their organization; to
// remove it is to revoke the grant.
//
// Sources: docs.github.com "Generating an installation access token" (JWT of ten
// minutes at most, 201, expires_at: doc), 404 for an installation that is gone:
// assumed.
type githubApp struct {
	installs map[string]string // grant by installation
	issues   map[string][]object
}

func newGitHubApp() dialect {
	return &githubApp{installs: map[string]string{}, issues: map[string][]object{}}
}

func (g *githubApp) traits() traits {
	return traits{
		name: "github-app", title: "GitHub App", people: plainPeople(""),
		defaults: Settings{AccessTTLSeconds: 3600, CodeTTLSeconds: 600, Rotation: RotationNone, OnReuse: ReuseError},
		shape:    func(m mint, _ tokenKind, _ string, _ Person) string { return "ghs_" + m.text(36) },
	}
}

// credential implements keyed: the id that GitHub sends to the app's setup page.
func (g *githubApp) credential(p *provider, who Person) (map[string]string, error) {
	id := "4" + p.mint().digits(7)
	g.installs[id] = p.settle(who, nil).ID
	return map[string]string{"installation_id": id}, nil
}

func (g *githubApp) routes() []route {
	const issues = "/repos/{owner}/{repo}/issues"
	return []route{
		{"POST /app/installations/{id}/access_tokens", KindToken, g.token},
		{"DELETE /installation/token", KindRevoke, g.revoke},
		g.api("GET /installation/repositories", g.repositories),
		g.api("GET "+issues, g.list),
		g.api("POST "+issues, g.create),
		g.api("GET "+issues+"/{number}", g.issue),
		g.api("PATCH "+issues+"/{number}", g.issue),
	}
}

// signedBy is the app whose key signed the bearer.
func (g *githubApp) signedBy(c *call) *client {
	jws, _, cl, ok := unverified(strings.TrimPrefix(c.r.Header.Get("Authorization"), "Bearer "))
	app := c.p.clients[cl.Issuer]
	if !ok || app == nil || app.PublicKey == "" || cl.Expires-cl.Issued > 660 || !cl.timely(c.p.now()) {
		return nil
	}
	block, _ := pem.Decode([]byte(app.PublicKey))
	if block == nil {
		return nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil
	}
	if _, err := jws.Verify(key); err != nil {
		return nil
	}
	return app
}

func (g *githubApp) token(c *call) reply {
	app := g.signedBy(c)
	if app == nil {
		return ghaError(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	grant := c.p.grants[g.installs[c.r.PathValue("id")]]
	if grant == nil || !grant.EndedAt.IsZero() {
		return ghaError(http.StatusNotFound, "Not Found")
	}
	c.client, c.grant, c.who = app, grant, c.p.person(grant.Login)
	c.p.count.add(c.login(), func(n *Counters) { n.TokenExchanges++ })
	set := c.p.issue(grant, askedSet{}, 0, false)
	c.p.save()
	return jsonReply(http.StatusCreated, object{"token": set.access, "expires_at": c.p.now().Add(seconds(set.ttl)).UTC().Format(time.RFC3339),
		"permissions": object{"issues": "write", "metadata": "read"}, "repository_selection": "selected"})
}

// revoke ends the token that it comes with.
func (g *githubApp) revoke(c *call) reply {
	if why := c.authenticated(); why != nil {
		return g.refuse(c, *why)
	}
	c.token.end(c.p.now(), stateRevoked)
	c.revoked()
	return emptyReply(http.StatusNoContent)
}

func (g *githubApp) api(pattern string, do func(*call) reply) route {
	return route{pattern, KindAPI, func(c *call) reply {
		if why := c.authenticated(); why != nil {
			return g.refuse(c, *why)
		}
		if owner := c.r.PathValue("owner"); owner != "" && (owner != c.who.Org || c.r.PathValue("repo") != "billing") {
			return g.refuse(c, refusal{reason: reasonNotFound})
		}
		return do(c)
	}}
}

func (g *githubApp) refuse(_ *call, why refusal) reply {
	status, text := ghAPIError(why)
	out := ghaError(status, text)
	if why.reason == reasonScope {
		out = out.set("X-Accepted-GitHub-Permissions", strings.Join(why.needed, "; "))
	}
	if why.reason == reasonRateLimited {
		out = out.set("X-RateLimit-Remaining", "0")
	}
	if why.retryAfter > 0 {
		out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
	}
	return out
}

func ghaError(status int, text string) reply {
	return jsonReply(status, object{"message": text, "status": strconv.Itoa(status)}).failed(text)
}

func (g *githubApp) repositories(c *call) reply {
	repo := object{"id": 1, "name": "billing", "full_name": c.who.Org + "/billing", "private": true, "owner": object{"login": c.who.Org, "id": 900 + len(c.who.Org)}}
	return jsonReply(http.StatusOK, object{"total_count": 1, "repositories": []object{repo}})
}

func (g *githubApp) list(c *call) reply {
	return jsonReply(http.StatusOK, append([]object{}, g.issues[c.who.Org]...))
}

func (g *githubApp) create(c *call) reply {
	if c.bodyArg("title") == "" {
		return g.refuse(c, refusal{reason: reasonRequest})
	}
	n := len(g.issues[c.who.Org]) + 1
	issue := object{"number": n, "title": c.bodyArg("title"), "state": "open", "user": object{"login": "acme-agent[bot]"}, "html_url": fmt.Sprintf("https://github.com/%s/billing/issues/%d", c.who.Org, n)}
	g.issues[c.who.Org] = append(g.issues[c.who.Org], issue)
	return jsonReply(http.StatusCreated, issue)
}

func (g *githubApp) issue(c *call) reply {
	n, err := strconv.Atoi(c.r.PathValue("number"))
	if list := g.issues[c.who.Org]; err == nil && n >= 1 && n <= len(list) {
		if s := c.bodyArg("state"); s != "" {
			list[n-1]["state"], list[n-1]["state_reason"] = s, c.bodyArg("state_reason")
		}
		return jsonReply(http.StatusOK, list[n-1])
	}
	return g.refuse(c, refusal{reason: reasonNotFound})
}
