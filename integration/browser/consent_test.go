package browser_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

const (
	letIn   = `form:has(input[value="allow"]) button`
	keepOut = `form:has(input[value="refuse"]) button`
)

// asking is a stack in which an MCP client asks to act for Alice. Her browser began the login, and page is where her product sends it.
type asking struct {
	*e2e.Fixture
	client *e2e.MCPClient
	alice  *person
	page   string
}

// newAsking lets the client listen on a port of this machine, as a program does; more limits what the product allows.
func newAsking(t *testing.T, who string, more e2e.Object) *asking {
	t.Helper()
	a := &asking{Fixture: e2e.New(t), client: e2e.NewMCPClient(t), alice: newPerson(t)}
	a.Connect(t, "acme", who, "github", "alice", nil)
	a.Connect(t, "acme", who, "slack", "alice", nil)
	a.Back(t, "PUT", "/v1/tenants/acme", e2e.Object{"name": "Acme", "logo": logo(t), "accent": "#4a154b"}).Want(t, 200)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { show(w, "Back in the program") }))
	t.Cleanup(program.Close)
	a.client.Redirect = program.URL + "/callback"
	a.client.Document["client_name"] = "Desktop assistant"
	a.client.Document["redirect_uris"] = []string{a.client.Redirect}
	a.alice.open(a.URL + "/oauth/authorize?" + a.client.Query(a.Fixture).Encode())
	at, err := url.Parse(a.alice.at())
	if err != nil || at.Query().Get("mcp_login") == "" {
		t.Fatalf("the browser is at %v (%v)", at, err)
	}
	a.page = a.ConfirmLogin(t, at.Query().Get("mcp_login"), "acme", who, more).Want(t, 201).Text("continue_url")
	return a
}

// answer is what the client was sent.
func (a *asking) answer(t *testing.T) url.Values {
	t.Helper()
	at, err := url.Parse(a.alice.at())
	if err != nil || !strings.HasPrefix(at.String(), a.client.Redirect+"?") {
		t.Fatalf("the browser is at %v (%v)", at, err)
	}
	return at.Query()
}

func TestConsent_PersonAllows_TheClientGetsACodeThatWorks(t *testing.T) {
	asked(t)
	t.Parallel()
	a := newAsking(t, "user_alice", nil)
	host := strings.TrimSuffix(strings.TrimPrefix(a.client.ID, "http://"), "/client.json")
	a.alice.open(a.page)
	a.alice.says("Let "+host+" act for you?", "Desktop assistant", "Acme", "user_alice", "Only if you started this yourself", "GitHub: alice", "Slack", "90 days")
	a.alice.inspect("consent")
	a.alice.click(letIn, product)
	q := a.answer(t)
	if q.Get("state") != "st-1" || q.Get("iss") != a.URL || q.Get("code") == "" {
		t.Fatalf("the client was given %v", q)
	}
	if got := a.Token(t, "/oauth/token", a.client.Exchange(a.Fixture, q.Get("code"))).Want(t, 200); got.Text("access_token") == "" {
		t.Errorf("%s", got.Body)
	}
	a.alice.open(a.page)
	a.alice.see(failed)
	a.alice.says("req_")
	a.alice.inspect("consent-used")
}

// TestConsent_Phone_PersonRefuses_TheClientGetsNothing has names of a length that nobody draws pages for.
func TestConsent_Phone_PersonRefuses_TheClientGetsNothing(t *testing.T) {
	asked(t)
	t.Parallel()
	who := "user_with_a_very_long_identifier_1234567890@subsidiary.acme-corporation.example"
	a := newAsking(t, who, e2e.Object{"tools": []string{"github_get_authenticated_user", "github_create_issue"}})
	a.alice.phone()
	a.alice.open(a.page)
	a.alice.says(who, "These actions only")
	if strings.Contains(a.alice.text(), "Slack") {
		t.Error("the page speaks of an account that the login does not reach")
	}
	a.alice.narrow("consent")
	a.alice.tap(keepOut, product)
	if q := a.answer(t); q.Get("error") != "access_denied" || q.Has("code") || q.Get("state") != "st-1" {
		t.Errorf("the client was given %v", q)
	}
}

// TestConsent_OtherBrowser_IsRefused: Mallory began the login, and forwards the address to somebody; or hers was taken.
func TestConsent_OtherBrowser_IsRefused(t *testing.T) {
	asked(t)
	t.Parallel()
	a, other := newAsking(t, "user_alice", nil), newPerson(t)
	other.open(a.page)
	other.see(failed)
	other.says("req_")
	if text := other.text(); strings.Contains(text, "GitHub") || strings.Contains(text, "user_alice") {
		t.Errorf("the page shows another browser what is Alice's:\n%s", text)
	}
	other.inspect("consent-other-browser")
	a.alice.open(a.page) // looking used nothing up
	a.alice.click(letIn, product)
	if q := a.answer(t); q.Get("code") == "" {
		t.Errorf("the client was given %v", q)
	}
}
