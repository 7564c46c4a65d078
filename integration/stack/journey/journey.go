package journey

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"

	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/shared/audit"
)

// Tenant and Principal are who the walk is about; Login is the person at the provider.
const Tenant, Principal, Login = "acme", "user_alice", "alice"

// Walk is a journey under way.
type Walk struct {
	// Connection is the id that Connect got.
	Connection string
	// Token is the session token.
	Token string

	t testing.TB
	s *stack.Stack
}

// Run makes the whole journey on a stack that has seen none.
func Run(t testing.TB, s *stack.Stack) {
	t.Helper()
	w := Begin(t, s)
	w.Connect()
	w.Execute(http.StatusOK)
	w.Refresh()
	w.Execute(http.StatusOK)
	w.Offboard()
	w.Execute(http.StatusForbidden)
	w.Audit()
}

// Begin makes the tenant and registers an OAuth client.
func Begin(t testing.TB, s *stack.Stack) *Walk {
	t.Helper()
	w := &Walk{t: t, s: s}
	w.back("PUT", "/v1/tenants/"+Tenant, object{"name": "Acme"}, http.StatusCreated, nil)
	w.back("PUT", "/v1/connectors/github/client", object{"client_id": "journey", "client_secret": "journey-secret"}, http.StatusOK, nil)
	return w
}

// Connect takes the person through our page, the provider's and back, confirms, and makes a session.
func (w *Walk) Connect() {
	w.t.Helper()
	var link struct{ ID, URL string }
	w.back("POST", "/v1/connect-links", object{"tenant": Tenant, "principal": Principal, "connector": "github", "return_url": "http://127.0.0.1:3000/connected"}, http.StatusCreated, &link)
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w.visit(browser, "GET", link.URL, http.StatusOK)
	provider := w.visit(browser, "POST", link.URL, http.StatusSeeOther)
	back, err := emulator.Client{BaseURL: w.s.EmulatorURL}.Approve(w.t.Context(), provider.String(), Login)
	if err != nil {
		w.t.Fatalf("approve: %v", err)
	}
	if home := w.visit(browser, "GET", back.String(), http.StatusSeeOther); home.Query().Get("connect_link") != link.ID {
		w.t.Fatalf("the browser came home with %s", home)
	}
	var done struct {
		Status     string
		Connection string `json:"connection_id"`
	}
	w.back("POST", "/v1/connect-links/"+link.ID+"/confirm", object{"principal": Principal}, http.StatusOK, &done)
	if done.Status != "active" {
		w.t.Fatalf("the connection is %s after the confirmation", done.Status)
	}
	w.Connection = done.Connection
	w.Session()
}

// Session makes a session token.
func (w *Walk) Session() {
	w.t.Helper()
	var session struct{ Token string }
	w.back("POST", "/v1/sessions", object{"tenant": Tenant, "principal": Principal, "agent": "journey"}, http.StatusCreated, &session)
	w.Token = session.Token
}

// Execute calls a tool, and wants the status. With 200 the provider must have answered as the person.
func (w *Walk) Execute(status int) {
	w.t.Helper()
	var out struct{ Data struct{ Login string } }
	w.call(w.Token, "POST", "/v1/execute", object{"tool": "github_get_authenticated_user"}, status, &out)
	if status == http.StatusOK && out.Data.Login != Login {
		w.t.Fatalf("the tool answered as %q", out.Data.Login)
	}
}

// Refresh asks for a refresh now; the provider must have seen it.
func (w *Walk) Refresh() {
	w.t.Helper()
	before := w.Counters().Refreshes
	var out struct{ Result string }
	w.back("POST", "/v1/tenants/"+Tenant+"/connections/"+w.Connection+"/refresh", nil, http.StatusOK, &out)
	if n := w.Counters().Refreshes; n != before+1 {
		w.t.Fatalf("the provider saw %d refreshes, %d before; the answer was %q", n, before, out.Result)
	}
}

// Offboard is the identity provider deactivating the person; the revocation travels by queue.
func (w *Walk) Offboard() {
	w.t.Helper()
	var token struct{ Token string }
	w.back("POST", "/v1/tenants/"+Tenant+"/scim-tokens", object{"name": "directory"}, http.StatusCreated, &token)
	var user struct{ ID string }
	w.call(token.Token, "POST", "/scim/v2/Users", object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "alice@acme.example", "externalId": Principal, "active": true}, http.StatusCreated, &user)
	w.call(token.Token, "PATCH", "/scim/v2/Users/"+user.ID, object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []object{{"op": "replace", "path": "active", "value": false}}}, http.StatusOK, nil)
	w.Drain()
	if n := w.Counters().Revocations; n == 0 {
		w.t.Fatal("the provider was not told to revoke the token")
	}
	var c struct{ Status string }
	w.back("GET", "/v1/tenants/"+Tenant+"/connections/"+w.Connection, nil, http.StatusOK, &c)
	if c.Status != "revoked" {
		w.t.Fatalf("the connection is %s", c.Status)
	}
}

// Audit wants every record sealed and the chain to hold.
func (w *Walk) Audit() {
	w.t.Helper()
	w.Drain()
	var trail struct {
		Records  []audit.Record
		Segments []audit.Segment
		Cursor   string
	}
	w.back("GET", "/v1/tenants/"+Tenant+"/audit?limit=1000&include=segments", nil, http.StatusOK, &trail)
	rep := audit.Verify(trail.Records, trail.Segments, time.Now().Add(24*time.Hour), time.Minute)
	if trail.Cursor != "" || len(trail.Segments) == 0 || rep.Records < 8 || rep.Unsealed > 0 || !rep.OK() {
		w.t.Fatalf("the chain does not hold: %d records, %d segments, %+v", len(trail.Records), len(trail.Segments), rep)
	}
	kinds := map[audit.Kind]int{}
	for _, r := range trail.Records {
		kinds[r.Kind]++
	}
	for _, k := range []audit.Kind{audit.SessionCreated, audit.ExecutionIntent, audit.ExecutionOutcome} {
		if kinds[k] == 0 {
			w.t.Errorf("no record of %s among %v", k, kinds)
		}
	}
}

// Drain waits until nothing is left to deliver.
func (w *Walk) Drain() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	defer cancel()
	if err := w.s.Drain(ctx); err != nil {
		w.t.Fatalf("drain: %v", err)
	}
}

// Counters are what the provider counted for the person.
func (w *Walk) Counters() emulator.Counters {
	w.t.Helper()
	c, err := w.s.Emulator.Counters("github")
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ByPerson[Login]
}

// visit is one request of the browser; a redirect gives its target.
func (w *Walk) visit(browser *http.Client, method, target string, status int) *url.URL {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, target, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := browser.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != status {
		w.t.Fatalf("%s %s answered %d, want %d", method, req.URL.Path, res.StatusCode, status)
	}
	if status != http.StatusSeeOther {
		return nil
	}
	to, err := res.Location()
	if err != nil {
		w.t.Fatal(err)
	}
	return to
}
