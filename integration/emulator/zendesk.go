package emulator

import (
	"net/http"
	"strconv"
	"strings"
)

// zendesk speaks like Zendesk's ticketing API with API tokens. Each account has
// a subdomain; here it is the first segment of the path.
//
// Sources: developer.zendesk.com "Security and authentication" (Basic with
// "<email>/token": doc), users/me without valid credentials answers 200 with an
// anonymous user (doc), error bodies: reported.
type zendesk struct {
	tickets map[string][]*zdTicket // by org
}

type zdTicket struct {
	id                        int
	subject, status, priority string
	comments                  []object
}

func newZendesk() dialect {
	z := &zendesk{tickets: map[string][]*zdTicket{}}
	for _, org := range []string{"acme", "globex"} {
		z.tickets[org] = []*zdTicket{{id: 1, subject: "Printer of " + org, status: "open", comments: []object{{"id": 1, "plain_body": "It burns.", "public": true}}}}
	}
	return z
}

func (z *zendesk) traits() traits {
	return traits{
		name: "zendesk", title: "Zendesk",
		people: []Person{
			{Login: "alice", ID: "35401", Name: "Alice Anders", Email: "alice@acme.example", Org: "acme"},
			{Login: "bob", ID: "35402", Name: "Bob Brandt", Email: "bob@acme.example", Org: "acme"},
			{Login: "carol", ID: "35403", Name: "Carol Chen", Email: "carol@globex.example", Org: "globex"},
		},
		defaults: Settings{CodeTTLSeconds: 600, Rotation: RotationNone, OnReuse: ReuseError},
		shape:    func(m mint, _ tokenKind, _ string, _ Person) string { return m.text(40) },
		present: func(r *http.Request) string {
			_, password, _ := r.BasicAuth()
			return password
		},
	}
}

// credential implements keyed: the administrator makes a token, which is good
// here for one agent only.
func (z *zendesk) credential(p *provider, who Person) (map[string]string, error) {
	return map[string]string{"subdomain": who.Org, "email": who.Email, "api_token": p.key(who)}, nil
}

func (z *zendesk) routes() []route {
	const at = "/{subdomain}/api/v2"
	return []route{
		{"GET " + at + "/users/me.json", KindAPI, z.me},
		z.api("GET "+at+"/search.json", z.search),
		z.api("POST "+at+"/tickets.json", z.create),
		z.api("GET "+at+"/tickets/{ticket}", z.show),
		z.api("PUT "+at+"/tickets/{ticket}", z.update),
		z.api("GET "+at+"/tickets/{ticket}/comments.json", z.comments),
	}
}

// agent is who a call comes from: token, e-mail address and subdomain must fit.
func (z *zendesk) agent(c *call) bool {
	user, _, _ := c.r.BasicAuth()
	return c.authenticated() == nil && user == c.who.Email+"/token" && c.r.PathValue("subdomain") == c.who.Org
}

func (z *zendesk) api(pattern string, do func(*call) reply) route {
	return route{pattern, KindAPI, func(c *call) reply {
		if !z.agent(c) {
			return z.refuse(c, refusal{reason: reasonBadToken})
		}
		return do(c)
	}}
}

func (z *zendesk) refuse(_ *call, why refusal) reply {
	status, body := http.StatusUnauthorized, object{"error": "Couldn't authenticate you"}
	switch why.reason {
	case reasonStatus:
		status, body = why.status, object{"error": "ServerError", "description": http.StatusText(why.status)}
	case reasonRateLimited:
		status, body = http.StatusTooManyRequests, object{"error": "APIRateLimitExceeded", "description": "Number of allowed API requests per minute exceeded"}
	case reasonNotFound:
		status, body = http.StatusNotFound, object{"error": "RecordNotFound", "description": "Not found"}
	case reasonRequest:
		status, body = http.StatusUnprocessableEntity, object{"error": "RecordInvalid", "description": "Record validation errors"}
	case reasonCoded:
		status, body = http.StatusForbidden, object{"error": object{"title": "Forbidden", "message": why.code}}
	}
	out := jsonReply(status, body).failed(strconv.Itoa(status))
	if why.retryAfter > 0 {
		out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
	}
	return out
}

func (z *zendesk) me(c *call) reply {
	if !z.agent(c) {
		return jsonReply(http.StatusOK, object{"user": object{"id": nil, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}}).failed("anonymous")
	}
	id, _ := strconv.Atoi(c.who.ID)
	return jsonReply(http.StatusOK, object{"user": object{"id": id, "name": c.who.Name, "email": c.who.Email, "role": "agent", "time_zone": "Berlin"}})
}

func (t *zdTicket) view() object {
	return object{"id": t.id, "result_type": "ticket", "subject": t.subject, "status": t.status, "priority": t.priority, "url": "https://zendesk.example"}
}

func (z *zendesk) search(c *call) reply {
	found := []object{}
	for _, t := range z.tickets[c.who.Org] {
		words := strings.Fields(strings.ToLower(c.arg("query")))
		if len(words) > 0 && strings.Contains(strings.ToLower(t.subject), words[len(words)-1]) {
			found = append(found, t.view())
		}
	}
	return jsonReply(http.StatusOK, object{"results": found, "count": len(found), "next_page": nil})
}

func (z *zendesk) create(c *call) reply {
	in, _ := c.json["ticket"].(map[string]any)
	comment, _ := in["comment"].(map[string]any)
	text, _ := comment["body"].(string)
	subject, _ := in["subject"].(string)
	if text == "" {
		return z.refuse(c, refusal{reason: reasonRequest})
	}
	t := &zdTicket{id: len(z.tickets[c.who.Org]) + 1, subject: subject, status: "new", comments: []object{{"id": 1, "plain_body": text, "public": comment["public"] != false}}}
	z.tickets[c.who.Org] = append(z.tickets[c.who.Org], t)
	return jsonReply(http.StatusCreated, object{"ticket": t.view()})
}

func (z *zendesk) find(c *call) *zdTicket {
	id, err := strconv.Atoi(strings.TrimSuffix(c.r.PathValue("ticket"), ".json"))
	if list := z.tickets[c.who.Org]; err == nil && id >= 1 && id <= len(list) {
		return list[id-1]
	}
	return nil
}

func (z *zendesk) show(c *call) reply {
	t := z.find(c)
	if t == nil {
		return z.refuse(c, refusal{reason: reasonNotFound})
	}
	return jsonReply(http.StatusOK, object{"ticket": t.view()})
}

func (z *zendesk) update(c *call) reply {
	t := z.find(c)
	if t == nil {
		return z.refuse(c, refusal{reason: reasonNotFound})
	}
	in, _ := c.json["ticket"].(map[string]any)
	if s, ok := in["status"].(string); ok {
		t.status = s
	}
	if s, ok := in["priority"].(string); ok {
		t.priority = s
	}
	if comment, ok := in["comment"].(map[string]any); ok {
		t.comments = append(t.comments, object{"id": len(t.comments) + 1, "plain_body": comment["body"], "public": comment["public"] != false})
	}
	return jsonReply(http.StatusOK, object{"ticket": t.view()})
}

func (z *zendesk) comments(c *call) reply {
	t := z.find(c)
	if t == nil {
		return z.refuse(c, refusal{reason: reasonNotFound})
	}
	return jsonReply(http.StatusOK, object{"comments": t.comments, "count": len(t.comments)})
}
