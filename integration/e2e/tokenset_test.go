package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

const duoConnector = `id: duo
name: Duo
description: A provider that gives a bot and a user token.
docs_url: https://duo.example/docs
hosts: {web: https://duo.example}
auth: {mode: oauth2, client_auth: client_secret_post, pkce: required}
authorize: {url: "{web}/authorize"}
token:
  url: "{web}/token"
  capture: {team_id: team.id}
tokens:
  user: {root: authed_user}
scopes:
  default: [post]
  known: {post: {description: Post as the bot, effect: write}, search: {description: Search as you, effect: read}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity:
  request: {method: GET, url: "{web}/api/whoami"}
  map: {account_id: id}
  capture: {tenant_id: team_id}
  fixed: {team_id: ""}
revoke:
  method: POST
  url: "{web}/api/revoke"
  auth: bearer
  token: access
  success: {status: [200]}
  effect: tokens
  blast_radius: token
`

const duoTools = `- name: duo_post
  title: Post a message
  effect: write
  description: Post a message as the bot. Returns which token was used for the call.
  scopes: {all_of: [post]}
  input: {properties: {}}
  request: {method: POST, url: "{web}/api/post"}
- name: duo_search
  title: Search messages
  effect: read
  token: user
  description: Search messages as the user. Returns which token was used for the call.
  scopes: {all_of: [search]}
  input: {properties: {}}
  request: {method: GET, url: "{web}/api/search"}
`

// duo is the provider of duoConnector. A refresh is of one token, and its answer stands at the top.
type duo struct {
	*ownProvider
	user bool   // whether an exchange brings a user token
	team string // what token answers say
}

func newDuo(t *testing.T) (*duo, *e2e.Fixture) {
	t.Helper()
	p := &duo{ownProvider: newProvider(t, "duo"), user: true, team: "T1"}
	p.answer = func(o *ownProvider, form url.Values) object {
		if old := form.Get("refresh_token"); old != "" {
			kind := "bot"
			if strings.Contains(old, "user") {
				kind = "user"
			}
			for s := range o.live { // the access token of before is dead
				if strings.Contains(s, "-at-"+kind) {
					o.live[s] = false
				}
			}
			return object{"access_token": o.mint("at-" + kind), "refresh_token": o.mint("rt-" + kind), "expires_in": 3600, "team": object{"id": p.team}}
		}
		out := object{"access_token": o.mint("at-bot"), "refresh_token": o.mint("rt-bot"), "expires_in": 3600, "scope": "post", "team": object{"id": p.team}}
		if p.user {
			out["authed_user"] = object{"access_token": o.mint("at-user"), "refresh_token": o.mint("rt-user"), "expires_in": 7200, "scope": "search"}
		}
		return out
	}
	p.api = func(w http.ResponseWriter, r *http.Request) bool {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !p.bearer(w, r):
		case r.URL.Path == "/api/revoke":
			p.end(token)
			reply(w, 200, object{})
		case r.URL.Path == "/api/whoami":
			reply(w, 200, object{"id": "B1"})
		default:
			kind := "bot"
			if strings.Contains(token, "user") {
				kind = "user"
			}
			reply(w, 200, object{"as": kind})
		}
		return true
	}
	return p, p.with(t, duoConnector, duoTools, map[string]string{"web": ""})
}

func (p *duo) access() (out []string) {
	for _, s := range p.alive() {
		if strings.Contains(s, "-at-") {
			out = append(out, s)
		}
	}
	return out
}

func TestTokenSets_EachToolGoesOutWithItsOwnToken_EachIsRefreshedAlone(t *testing.T) {
	t.Parallel()
	p, f := newDuo(t)
	id := connectOwn(t, f, "duo", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	as := func(tool, want string) e2e.Answer {
		t.Helper()
		a := f.Execute(t, session, tool, nil, nil).Want(t, 200)
		if !strings.Contains(a.Body, `"as":"`+want+`"`) || a.Text("connection_id") != id {
			t.Errorf("%s: %s", tool, a.Body)
		}
		return a
	}
	as("duo_post", "bot")
	as("duo_search", "user")

	// One refresh for each refresh token, however many ask at once; the other token stays as it is.
	for _, s := range p.access() {
		if strings.Contains(s, "user") {
			p.end(s)
		}
	}
	var all sync.WaitGroup
	for range 6 {
		all.Add(1)
		go func() {
			defer all.Done()
			if a, err := f.TryExecute(session, "duo_search", nil, nil); err != nil || a.Status != 200 {
				t.Errorf("%d %v %.200s", a.Status, err, a.Body)
			}
		}()
	}
	all.Wait()
	if n := p.count("POST /token"); n != 2 {
		t.Errorf("%d token requests, want the exchange and one refresh", n)
	}
	as("duo_post", "bot")

	// Both fall due by themselves.
	f.Clock.Advance(110 * time.Minute)
	f.Account().FireSchedules()
	f.Settle(t)
	if n := p.count("POST /token"); n != 4 {
		t.Errorf("%d token requests after the sweep, want one more for each token", n)
	}
	session = f.Session(t, "acme", "user_alice", nil)
	as("duo_search", "user")
	as("duo_post", "bot")

	// Only one connection is to be seen, under one id.
	list := f.Back(t, "GET", "/v1/tenants/acme/connections", nil).Want(t, 200).List("connections")
	if len(list) != 1 || list[0]["id"] != id {
		t.Errorf("%v", list)
	}
	tools := f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: session}).Want(t, 200)
	if !strings.Contains(tools.Body, "duo_search") || !strings.Contains(tools.Body, "duo_post") {
		t.Errorf("%s", tools.Body)
	}

	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	f.Settle(t)
	f.Clock.Advance(10 * time.Minute)
	f.Account().FireSchedules()
	f.Settle(t)
	if left := p.access(); len(left) != 0 || p.count("POST /api/revoke") != 2 {
		t.Errorf("%v live on after %d revocations", left, p.count("POST /api/revoke"))
	}
	f.Execute(t, session, "duo_search", nil, nil).WantCode(t, "revoked")
	if n := sealedTokens(t, f, "acme", "user_alice"); n != 0 {
		t.Errorf("%d slots still hold tokens", n)
	}
}

func TestTokenSets_UserTokenDies_TheBotGoesOn_AndAReconnectMendsIt(t *testing.T) {
	t.Parallel()
	p, f := newDuo(t)
	id := connectOwn(t, f, "duo", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	for _, s := range p.alive() {
		if strings.Contains(s, "user") {
			p.end(s)
		}
	}
	a := f.Execute(t, session, "duo_search", nil, nil).WantCode(t, "reauthorization_required")
	if a.Text("connect.body.connection") != id {
		t.Errorf("%s", a.Body)
	}
	f.Execute(t, session, "duo_post", nil, nil).Want(t, 200)
	if again := connectOwn(t, f, "duo", object{"connection": id}); again != id {
		t.Errorf("%s", again)
	}
	f.Execute(t, session, "duo_search", nil, nil).Want(t, 200)
	if n := sealedTokens(t, f, "acme", "user_alice"); n > 4 {
		t.Errorf("%d slots", n)
	}
}

func TestTokenSets_WithoutUserToken_TheToolSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	p, f := newDuo(t)
	p.user = false
	connectOwn(t, f, "duo", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "duo_post", nil, nil).Want(t, 200)
	if a := f.Execute(t, session, "duo_search", nil, nil).WantCode(t, "scope_missing"); a.Text("token_set") != "user" {
		t.Errorf("%s", a.Body)
	}
	tools := f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: session}).Want(t, 200)
	if strings.Contains(tools.Body, "duo_search") {
		t.Errorf("%s", tools.Body)
	}
}

// TestTokenSets_RefreshNamesAnotherTeam_IsRefused swaps the account behind a refresh, for the main token and for the other.
func TestTokenSets_RefreshNamesAnotherTeam_IsRefused(t *testing.T) {
	t.Parallel()
	for tool, wide := range map[string]bool{"duo_post": true, "duo_search": false} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			p, f := newDuo(t)
			id := connectOwn(t, f, "duo", nil)
			session := f.Session(t, "acme", "user_alice", nil)
			p.expire()
			p.mu.Lock()
			p.team = "T2"
			p.mu.Unlock()
			if a := f.Execute(t, session, tool, nil, nil).WantCode(t, "reauthorization_required"); a.Text("reason") != "account_changed" {
				t.Errorf("%s", a.Body)
			}
			want := map[bool]string{true: "reauthorization_required", false: "active"}[wide]
			if c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200); c.Text("status") != want {
				t.Errorf("%s", c.Body)
			}
		})
	}
}
