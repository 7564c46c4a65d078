package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// unredeemed fails the test if a code was redeemed at the provider meanwhile.
func unredeemed(t *testing.T, f *e2e.Fixture, provider string) func() {
	t.Helper()
	before := f.Counters(t, provider).TokenExchanges
	return func() {
		t.Helper()
		if got := f.Counters(t, provider).TokenExchanges; got != before {
			t.Errorf("%d codes were redeemed", got-before)
		}
	}
}

func TestConfirm_SomebodyElseConsented_NothingIsExchangedAndTheLinkIsSpent(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	check := unredeemed(t, f, "github")
	// Alice made a link for herself and sent it to Bob, who consented with his account; the SaaS meets Bob on return.
	link := f.Parked(t, "acme", "user_alice", "github", "bob", nil)
	a := f.Confirm(t, link, "user_bob").WantCode(t, "forbidden")
	if a.Text("reason") != "user_mismatch" {
		t.Errorf("%s", a.Body)
	}
	f.Confirm(t, link, "user_alice").WantCode(t, "conflict")
	check()
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).WantCode(t, "connection_required")
	if r := f.Audit(t, "acme", "kind=connect_link.refused"); len(r) != 1 || r[0]["reason"] != "user_mismatch" {
		t.Errorf("%v", r)
	}
}

func TestConfirm_BeforeConsentTwiceOrLate_IsRefused(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	open := f.Link(t, "acme", "user_alice", "github", nil).Text("id")
	f.Confirm(t, open, "user_alice").WantCode(t, "conflict")
	done := f.Parked(t, "acme", "user_alice", "slack", "alice", nil)
	f.Confirm(t, done, "user_alice").Want(t, 200)
	f.Confirm(t, done, "user_alice").WantCode(t, "conflict")

	late := f.Parked(t, "acme", "user_bob", "github", "bob", nil)
	check := unredeemed(t, f, "github")
	f.Clock.Advance(5*time.Minute + time.Second)
	a := f.Confirm(t, late, "user_bob").WantCode(t, "not_found")
	if a.Text("reason") != "link_expired" {
		t.Errorf("%s", a.Body)
	}
	check()
}

func TestConfirm_TenAtOnce_OneExchange(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	link := f.Parked(t, "acme", "user_alice", "github", "alice", nil)
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 10 {
		all.Go(func() {
			a, err := f.Try(e2e.Request{Method: "POST", Path: "/v1/connect-links/" + link + "/confirm", Token: f.APIKey(), Body: object{"principal": "user_alice"}})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			codes[a.Status]++
		})
	}
	all.Wait()
	if codes[200] != 1 || codes[409] != 9 {
		t.Errorf("answers %v", codes)
	}
	if got := f.Counters(t, "github").TokenExchanges; got != 1 {
		t.Errorf("%d exchanges", got)
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).Want(t, 200)
}

func TestCallback_StateIsUsedAgain_IsRefused(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	l := f.Link(t, "acme", "user_alice", "github", nil)
	b := f.NewBrowser(t)
	back := b.Consent(t, l.Text("url"), "alice", "approve")
	b.Open(t, back).Want(t, 303)
	if a := b.Open(t, back); a.Status != 409 && a.Status != 400 && a.Status != 403 {
		t.Errorf("the second use: %d %s", a.Status, a.Body)
	}
	f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200)
	if a := b.Open(t, back); a.Status < 400 {
		t.Errorf("after the confirmation: %d", a.Status)
	}
}

func TestCallback_TwentyAtOnce_OneParks(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	l := f.Link(t, "acme", "user_alice", "github", nil)
	jar := f.NewBrowser(t)
	cookie, _, _ := strings.Cut(jar.Open(t, l.Text("url")).Header.Get("Set-Cookie"), ";")
	start := jar.Submit(t, l.Text("url"), nil).Want(t, 303)
	back := jar.Decide(t, start.Header.Get("Location"), "alice", "approve")
	var all sync.WaitGroup
	var mu sync.Mutex
	n := map[int]int{}
	for range 20 {
		all.Go(func() {
			a, err := f.Try(e2e.Request{Method: "GET", Path: back, Header: http.Header{"Cookie": {cookie}}})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			n[a.Status]++
		})
	}
	all.Wait()
	if n[303] != 1 {
		t.Errorf("answers %v, want one 303", n)
	}
	f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200)
}

func TestCallback_AnotherBrowserOrNoCookie_IsRefusedAndParksNothing(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	check := unredeemed(t, f, "github")
	for name, steal := range map[string]func(*e2e.Browser){
		"no cookie": func(*e2e.Browser) {},
		"another flow's cookie": func(b *e2e.Browser) {
			other := f.Link(t, "acme", "user_bob", "github", nil)
			b.Open(t, other.Text("url"))
			b.Submit(t, other.Text("url"), nil).Want(t, 303)
		},
	} {
		l := f.Link(t, "acme", "user_alice", "github", nil)
		back := f.NewBrowser(t).Consent(t, l.Text("url"), "alice", "approve")
		thief := f.NewBrowser(t)
		steal(thief)
		if a := thief.Open(t, back); a.Status != 403 {
			t.Errorf("%s: %d", name, a.Status)
		}
		f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "conflict")
	}
	check()
}

func TestStart_SecondBrowser_IsRefusedAndTheFirstGoesOn(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	l := f.Link(t, "acme", "user_alice", "github", nil)
	first, second := f.NewBrowser(t), f.NewBrowser(t)
	first.Open(t, l.Text("url")).Want(t, 200)
	second.Open(t, l.Text("url")).Want(t, 200) // looking uses nothing up
	provider := first.Submit(t, l.Text("url"), nil).Want(t, 303).Header.Get("Location")
	second.Submit(t, l.Text("url"), nil).Want(t, 409)
	// The first one went back and starts again: the earlier attempt is void.
	again := first.Submit(t, l.Text("url"), nil).Want(t, 303).Header.Get("Location")
	if a := first.Open(t, first.Decide(t, provider, "alice", "approve")); a.Status < 400 {
		t.Errorf("the earlier attempt: %d", a.Status)
	}
	first.Open(t, first.Decide(t, again, "alice", "approve")).Want(t, 303)
	f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200)
}

func TestCallback_AtAnotherConnectorsAddress_IsRefused(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	check := unredeemed(t, f, "github")
	for _, where := range []string{"slack", "salesforce", "github~acme", "github~globex", "github%2f", "GITHUB", "x"} {
		l := f.Link(t, "acme", "user_alice", "github", nil)
		b := f.NewBrowser(t)
		back := b.Consent(t, l.Text("url"), "alice", "approve")
		if a := b.Open(t, strings.Replace(back, "/oauth/callback/github", "/oauth/callback/"+where, 1)); a.Status != 403 && a.Status != 404 {
			t.Errorf("%s: %d %s", where, a.Status, a.Body)
		}
	}
	check()
}

func TestConsent_IsDenied_LinkSaysSoAndNothingIsConnected(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for provider := range whoami {
		l := f.Link(t, "acme", "user_alice", provider, nil)
		b := f.NewBrowser(t)
		to := b.Open(t, b.Consent(t, l.Text("url"), "alice", "deny")).Want(t, 303).Header.Get("Location")
		if u, err := url.Parse(to); err != nil || u.Query().Get("status") != "denied" || !strings.HasPrefix(to, e2e.ReturnURL) {
			t.Errorf("%s: sent to %s", provider, to)
		}
		a := f.Back(t, "GET", "/v1/connect-links/"+l.Text("id"), nil).Want(t, 200)
		if a.Text("status") != "denied" || a.Text("reason") != "consent_denied" {
			t.Errorf("%s", a.Body)
		}
		f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "conflict")
	}
}

func TestConnect_TokenEndpointFails_LinkEndsAndTheCodeIsSentOnce(t *testing.T) {
	t.Parallel()
	for _, mode := range []emulator.Mode{emulator.ModeLostReply, emulator.ModeDropBefore, "status:500", "status:401"} {
		f := e2e.New(t)
		link := f.Parked(t, "acme", "user_alice", "github", "alice", nil)
		f.Fail(t, "github", emulator.Fault{Kind: emulator.KindToken, Mode: mode, Times: 1})
		if a := f.Confirm(t, link, "user_alice"); a.Status < 400 || a.Text("code") == "" {
			t.Errorf("%s: %d %s", mode, a.Status, a.Body)
		}
		if n := len(f.Calls(t, "github", emulator.KindToken)); n != 1 {
			t.Errorf("%s: the code was sent %d times", mode, n)
		}
		f.Confirm(t, link, "user_alice").WantCode(t, "conflict")
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	}
}

func TestReconnect_WithAnotherAccount_IsRefused(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	a := f.Confirm(t, f.Parked(t, "acme", "user_alice", "github", "bob", object{"connection": id}), "user_alice").WantCode(t, "conflict")
	if a.Text("reason") != "account_mismatch" {
		t.Errorf("%s", a.Body)
	}
	if got := f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).Want(t, 200).Text("data.login"); got != "alice" {
		t.Errorf("acts as %s", got)
	}
}

func TestClient_TenantBringsItsOwn_IsUsedForItsConnectionsOnly(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	a := f.Back(t, "PUT", "/v1/tenants/acme/connectors/github/client", object{"client_id": "acme-own", "client_secret": e2e.ClientSecret}).Want(t, 200)
	if !strings.HasSuffix(a.Text("redirect_uri"), "/oauth/callback/github~acme") || strings.Contains(a.Body, e2e.ClientSecret) {
		t.Errorf("%s", a.Body)
	}
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "globex", "user_carol", "github", "carol", nil)
	grants, err := f.Emulator.Tokens("github")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grants {
		if want := map[string]string{"alice": "acme-own", "carol": "client-github"}[g.Login]; g.ClientID != want {
			t.Errorf("%s was connected with %s, want %s", g.Login, g.ClientID, want)
		}
	}
}

func TestRestart_OverTheSameDirectory_KeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), &e2e.Clock{}
	f := e2e.Start(t, e2e.Options{Dir: dir, Clock: clock})
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	parked := f.Parked(t, "acme", "user_bob", "slack", "bob", nil)
	key := object{"idempotency_key": "k-1"}
	first := f.Execute(t, session, "github_create_issue", issue("one"), key).Want(t, 200)
	f.Settle(t)
	before, apiKey, port := len(f.Audit(t, "acme", "limit=1000")), f.APIKey(), portOf(t, f.URL)
	f.Stop(t)

	g := e2e.Start(t, e2e.Options{Dir: dir, Clock: clock, Bare: true, Port: port})
	if g.APIKey() != apiKey {
		t.Error("the API key changed")
	}
	if got := g.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200).Text("connection_id"); got != id {
		t.Errorf("connection %s, was %s", got, id)
	}
	if again := g.Execute(t, session, "github_create_issue", issue("one"), key).Want(t, 200); again.Body != first.Body {
		t.Errorf("the key's answer is %s, was %s", again.Body, first.Body)
	}
	if got := g.Back(t, "GET", "/v1/connect-links/"+parked, nil).Want(t, 200).Text("status"); got != "consented" { // the emulator forgets codes, so it is not confirmed
		t.Errorf("the link is %s", got)
	}
	g.Settle(t)
	if after := len(g.Audit(t, "acme", "limit=1000")); after <= before {
		t.Errorf("%d records, %d before", after, before)
	}
	clock.Advance(9 * time.Hour)
	g.Execute(t, g.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).Want(t, 200)
	g.Settle(t)
	records, segments := export(t, g, "acme")
	if rep := verify(g, records, segments); !rep.OK() {
		t.Errorf("%v", rep.Problems)
	}
}

// Salesforce tells a token's end on request only, and it is asked when the account is connected: an org with short sessions is
// refreshed in time from the first hour on.
func TestConnect_ProviderWithoutExpiresIn_ExpiryIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	life := 900
	if _, err := f.Emulator.ChangeSettings("salesforce", emulator.SettingsChange{AccessTTLSeconds: &life}); err != nil {
		t.Fatal(err)
	}
	id := f.Connect(t, "acme", "user_alice", "salesforce", "alice", nil)
	ends, err := time.Parse(time.RFC3339, f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Text("expires_at"))
	if left := ends.Sub(f.Clock.Now()); err != nil || left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("%v left, %v", left, err)
	}
}
