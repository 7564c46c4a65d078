package emulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

func (g *github) apiRoutes() []route {
	const issues = "/api/repos/{owner}/{repo}/issues"
	return []route{
		g.api("GET /api/user", g.getUser),
		g.api("GET /api/user/repos", g.listRepos),
		g.api("GET /api/repos/{owner}/{repo}", g.getRepo),
		g.api("GET "+issues, g.listIssues),
		g.api("POST "+issues, g.createIssue),
		g.api("GET "+issues+"/{number}", g.getIssue),
		g.api("PATCH "+issues+"/{number}", g.updateIssue),
	}
}

// api wraps an operation: a live token first, GitHub's headers afterwards.
func (g *github) api(pattern string, do func(*call) reply) route {
	return route{pattern, KindAPI, func(c *call) reply {
		if why := c.authenticated(); why != nil {
			return g.refuse(c, *why)
		}
		out := do(c)
		if out.outcome != "ok" {
			return out // refuse has added the headers
		}
		return g.withHeaders(c, out, false)
	}}
}

// needs checks scopes after the resource is known, because public and private
// repositories need different ones.
func (g *github) needs(c *call, anyOf ...string) *reply {
	if holdsAny(c.token.Scopes, anyOf) {
		return nil
	}
	out := g.refuse(c, refusal{reason: reasonScope, needed: anyOf})
	return &out
}

func (g *github) absent(c *call) reply {
	if !holdsAny(c.token.Scopes, []string{"repo"}) {
		return g.refuse(c, refusal{reason: reasonScope, needed: []string{"repo"}})
	}
	return g.refuse(c, refusal{reason: reasonNotFound})
}

func (g *github) base(c *call) string { return c.p.srv.baseURL(c.r) }

func (g *github) getUser(c *call) reply {
	out := ghUser(g.base(c), *c.who)
	out["name"], out["email"], out["company"] = c.who.Name, c.who.Email, "@"+c.who.Org
	return jsonReply(http.StatusOK, out)
}

func (g *github) listRepos(c *call) reply {
	var list []object
	for _, r := range g.repos {
		if slices.Contains(r.members, c.login()) && g.visible(c, r) {
			list = append(list, r.view(g.base(c)))
		}
	}
	return g.page(c, list)
}

func (g *github) getRepo(c *call) reply {
	r := g.find(c)
	if r == nil {
		return g.absent(c)
	}
	return jsonReply(http.StatusOK, r.view(g.base(c)))
}

func (g *github) listIssues(c *call) reply {
	r := g.find(c)
	if r == nil {
		return g.absent(c)
	}
	state := c.r.URL.Query().Get("state")
	if state == "" {
		state = "open"
	}
	if !slices.Contains([]string{"open", "closed", "all"}, state) {
		return g.invalid(c, "Issue", "state")
	}
	var list []object
	for _, i := range slices.Backward(g.issues[r.id]) { // newest first
		if state == "all" || i.state == state {
			list = append(list, g.issueView(c, r, i))
		}
	}
	return g.page(c, list)
}

func (g *github) createIssue(c *call) reply {
	r := g.find(c)
	if r == nil {
		return g.absent(c)
	}
	scopes := []string{"public_repo", "repo"}
	if r.private {
		scopes = []string{"repo"}
	}
	if out := g.needs(c, scopes...); out != nil {
		return *out
	}
	title := c.bodyArg("title")
	if title == "" {
		return g.invalid(c, "Issue", "title")
	}
	var labels []string
	if list, ok := c.json["labels"].([]any); ok {
		for _, l := range list {
			labels = append(labels, fmt.Sprint(l))
		}
	}
	i := g.open(r, c.login(), title, c.bodyArg("body"), labels, c.p.now())
	view := g.issueView(c, r, i)
	return jsonReply(http.StatusCreated, view).set("Location", fmt.Sprint(view["url"]))
}

func (g *github) getIssue(c *call) reply {
	r, i := g.findIssue(c)
	if i == nil {
		return g.absent(c)
	}
	return jsonReply(http.StatusOK, g.issueView(c, r, i))
}

// updateIssue changes title, body, state and state_reason. Members and the
// author may; for others it is 403, as the issue itself is visible.
func (g *github) updateIssue(c *call) reply {
	r, i := g.findIssue(c)
	if i == nil {
		return g.absent(c)
	}
	if out := g.needs(c, "public_repo", "repo"); out != nil {
		return *out
	}
	if !slices.Contains(r.members, c.login()) && i.author != c.login() {
		return g.refuse(c, refusal{reason: reasonCoded, code: "Must have admin rights to Repository."})
	}
	state := c.bodyArg("state")
	if state != "" && state != "open" && state != "closed" {
		return g.invalid(c, "Issue", "state")
	}
	for field, to := range map[string]*string{"title": &i.title, "body": &i.body, "state": &i.state, "state_reason": &i.reason} {
		if v, given := c.json[field].(string); given {
			*to = v
		}
	}
	if state == "closed" && i.reason == "" {
		i.reason = "completed"
	}
	i.updatedAt = c.p.now()
	return jsonReply(http.StatusOK, g.issueView(c, r, i))
}

func (g *github) findIssue(c *call) (*ghRepo, *ghIssue) {
	r := g.find(c)
	n, err := strconv.Atoi(c.r.PathValue("number"))
	if r == nil || err != nil || n < 1 || n > len(g.issues[r.id]) {
		return r, nil
	}
	return r, g.issues[r.id][n-1]
}

func (g *github) issueView(c *call, r *ghRepo, i *ghIssue) object {
	return i.view(g.base(c), r, c.p.person(i.author))
}

// invalid is GitHub's 422 with a field error.
func (g *github) invalid(c *call, resource, field string) reply {
	out := jsonReply(http.StatusUnprocessableEntity, object{"message": "Validation Failed", "status": "422",
		"errors":            []object{{"resource": resource, "field": field, "code": "invalid"}},
		"documentation_url": "https://docs.github.com/rest"})
	return g.withHeaders(c, out, false).failed("Validation Failed")
}

// page cuts a list by per_page (30, at most 100) and page, and links the next.
func (g *github) page(c *call, list []object) reply {
	q := c.r.URL.Query()
	size, _ := strconv.Atoi(q.Get("per_page"))
	if size < 1 {
		size = 30
	}
	size = min(size, 100)
	page, _ := strconv.Atoi(q.Get("page"))
	page = max(page, 1)
	from := min((page-1)*size, len(list))
	to := min(from+size, len(list))
	out := jsonReply(http.StatusOK, append([]object{}, list[from:to]...))
	if to < len(list) {
		q.Set("page", strconv.Itoa(page+1))
		q.Set("per_page", strconv.Itoa(size))
		out = out.set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, g.base(c), c.r.URL.Path, q.Encode()))
	}
	return out
}
