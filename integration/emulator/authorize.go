package emulator

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authRequest is a validated authorization request (RFC 6749 section 4.1.1,
// RFC 7636 section 4.3).
type authRequest struct {
	client    *client
	redirect  *url.URL
	asGiven   string // redirect_uri as the request spelled it; may be empty
	state     string
	challenge string
	sets      []askedSet
	hint      string // who to preselect
}

// readAuthRequest validates the query. It returns a reply when the request must
// not go on: a page while client or redirect URI are in doubt (an error must
// never be sent to an unchecked URI), a redirect afterwards.
func (c *call) readAuthRequest() (authRequest, *reply) {
	q := c.r.URL.Query()
	for name, values := range q {
		if len(values) > 1 {
			return authRequest{}, errorPage(http.StatusBadRequest, "invalid_request", "The parameter "+name+" came more than once.")
		}
	}
	req := authRequest{client: c.p.clients[q.Get("client_id")], state: q.Get("state"),
		asGiven: q.Get("redirect_uri"), challenge: q.Get("code_challenge")}
	if req.client == nil {
		return req, errorPage(http.StatusBadRequest, "invalid_client", "No app with this client_id is registered here.")
	}
	c.client = req.client
	if req.redirect = req.client.redirectFor(req.asGiven, c.p.tr.redirectPrefix); req.redirect == nil {
		return req, errorPage(http.StatusBadRequest, "redirect_uri_mismatch", "The redirect_uri is not registered for this app.")
	}
	if rt := q.Get("response_type"); rt != "code" && (rt != "" || !c.p.tr.responseTypeOptional) {
		return req, c.sendBack(req, "error", "unsupported_response_type")
	}
	if code := c.checkChallenge(q); code != "" {
		return req, c.sendBack(req, "error", "invalid_request", "error_description", code)
	}
	req.sets = c.askedSets(q, req.client)
	req.hint = q.Get("login_hint") + q.Get("login")
	return req, nil
}

// checkChallenge accepts S256 only; plain gives the verifier away.
func (c *call) checkChallenge(q url.Values) string {
	challenge, method := q.Get("code_challenge"), q.Get("code_challenge_method")
	switch {
	case challenge == "" && method != "":
		return "code_challenge is missing"
	case challenge == "" && c.p.set.RequirePKCE:
		return "code_challenge is required"
	case challenge == "":
		return ""
	case method != "S256":
		return "code_challenge_method must be S256"
	case len(challenge) != 43:
		return "code_challenge must be 43 characters"
	}
	return ""
}

// askedSets reads the scopes per token series. A request without any scope gets
// what the app is configured for, as with a GitHub App.
func (c *call) askedSets(q url.Values, cl *client) []askedSet {
	var sets []askedSet
	for _, s := range c.p.tr.series {
		if scopes := splitScopes(q.Get(s.param)); len(scopes) > 0 {
			sets = append(sets, askedSet{series: s.name, scopes: scopes})
		}
	}
	if len(sets) == 0 {
		sets = []askedSet{{series: c.p.tr.series[0].name, scopes: slices.Clone(cl.Scopes)}}
	}
	return sets
}

// showPage answers GET of the authorization URL.
func (c *call) showPage() reply {
	req, stop := c.readAuthRequest()
	if stop != nil {
		return *stop
	}
	return consentPage(c.p.tr, req)
}

// decide answers the POST of the page: login, decision (approve or deny) and,
// when granted_listed is set, granted once per scope that the person left on.
func (c *call) decide() reply {
	req, stop := c.readAuthRequest()
	if stop != nil {
		return *stop
	}
	if c.who = c.p.person(c.form.Get("login")); c.who == nil {
		return *errorPage(http.StatusBadRequest, "unknown_person", "There is no such person at this provider.")
	}
	switch c.form.Get("decision") {
	case "approve":
		return c.approve(req)
	case "deny":
		return *c.sendBack(req, "error", "access_denied", "error_description", c.p.tr.denied)
	}
	return *errorPage(http.StatusBadRequest, "no_decision", "The decision must be approve or deny.")
}

// approve issues a code and sends the browser back with it.
func (c *call) approve(req authRequest) reply {
	if c.form.Get("granted_listed") != "" {
		for i := range req.sets {
			req.sets[i].scopes = slices.DeleteFunc(req.sets[i].scopes, func(s string) bool {
				return !slices.Contains(c.form["granted"], s)
			})
		}
	}
	value := c.p.tr.shape(c.p.mint(), kindCode, "", *c.who)
	c.p.codes[hashOf(value)] = &code{
		client: req.client.ID, login: c.who.Login, redirect: req.asGiven, challenge: req.challenge,
		sets: req.sets, expires: c.p.now().Add(seconds(c.p.set.CodeTTLSeconds)),
	}
	return *c.sendBack(req, "code", value)
}

// sendBack redirects to the client with state and, if switched on, iss.
func (c *call) sendBack(req authRequest, pairs ...string) *reply {
	u := *req.redirect
	q := u.Query()
	outcome := "ok"
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		q.Set(pairs[i], pairs[i+1])
		if pairs[i] == "error" {
			outcome = pairs[i+1]
		}
	}
	if req.state != "" {
		q.Set("state", req.state)
	}
	if c.p.set.ISS {
		q.Set("iss", c.p.srv.baseURL(c.r)+"/"+c.p.name())
	}
	u.RawQuery = q.Encode()
	out := emptyReply(http.StatusFound).failed(outcome).set("Location", u.String()).set("Cache-Control", "no-store")
	return &out
}

// redirectFor returns the URI to go back to, or nil. Without redirect_uri the
// only registered one is meant (RFC 6749 section 3.1.2.3).
func (cl *client) redirectFor(given string, prefix bool) *url.URL {
	if given == "" {
		if len(cl.RedirectURIs) != 1 {
			return nil
		}
		given = cl.RedirectURIs[0]
	}
	u, err := url.Parse(given)
	if err != nil || u.Fragment != "" || !u.IsAbs() {
		return nil
	}
	for _, registered := range cl.RedirectURIs {
		if registered == given || (prefix && isBelow(u, registered)) {
			return u
		}
	}
	return nil
}

// isBelow is GitHub's rule: same host and port, path equal to or below the
// registered one. Dot segments would leave it and are refused.
func isBelow(u *url.URL, registered string) bool {
	r, err := url.Parse(registered)
	if err != nil || u.Scheme != r.Scheme || u.Host != r.Host || u.User != nil {
		return false
	}
	if strings.Contains(u.Path, "/.") || strings.Contains(u.Path, `\`) {
		return false
	}
	return u.Path == r.Path || strings.HasPrefix(u.Path, strings.TrimSuffix(r.Path, "/")+"/")
}

// verifierFits checks a PKCE verifier (RFC 7636 section 4.6). A verifier without
// a challenge is refused too: it is the mark of a downgrade (RFC 9700 section
// 4.8.2).
func verifierFits(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) == 1
}
