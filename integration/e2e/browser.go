package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Browser is a person's browser: it keeps cookies and shows each redirect instead of following it.
type Browser struct {
	f    *Fixture
	http *http.Client
}

// NewBrowser opens a browser without cookies.
func (f *Fixture) NewBrowser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Browser{f, &http.Client{Jar: jar, Timeout: 40 * time.Second, Transport: f.http.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Open loads a page.
func (b *Browser) Open(t testing.TB, address string) Answer {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.send(t, req)
}

// Submit sends a form.
func (b *Browser) Submit(t testing.TB, address string, form url.Values) Answer {
	t.Helper()
	req, err := http.NewRequest("POST", address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(t, req)
}

func (b *Browser) send(t testing.TB, req *http.Request) Answer {
	t.Helper()
	req.Header.Set("Accept", "text/html")
	a, err := b.f.send(b.http, req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return a
}

// Consent goes from a link's page to the provider, signs in as person and decides. It returns the callback address that
// the provider sends the browser to, code and state in it.
func (b *Browser) Consent(t testing.TB, link, person, decision string) string {
	t.Helper()
	b.Open(t, link).Want(t, 200)
	provider := b.Submit(t, link, nil).Want(t, 303).Header.Get("Location")
	return b.Decide(t, provider, person, decision)
}

// Decide signs in at the provider's consent page and decides.
func (b *Browser) Decide(t testing.TB, provider, person, decision string) string {
	t.Helper()
	b.Open(t, provider).Want(t, 200)
	a := b.Submit(t, provider, url.Values{"login": {person}, "decision": {decision}})
	if a.Status != 302 && a.Status != 303 {
		t.Fatalf("the provider's page answered %d: %.300s", a.Status, a.Body)
	}
	return a.Header.Get("Location")
}

// Link makes a connect link. more adds to the body ("scopes", "connection").
func (f *Fixture) Link(t testing.TB, tenant, principal, connector string, more Object) Answer {
	t.Helper()
	body := Object{"tenant": tenant, "principal": principal, "connector": connector, "return_url": ReturnURL}
	for k, v := range more {
		body[k] = v
	}
	return f.Back(t, "POST", "/v1/connect-links", body).Want(t, 201)
}

// Parked walks through a connect link up to the return to the SaaS, and returns the link's id.
func (f *Fixture) Parked(t testing.TB, tenant, principal, connector, person string, more Object) string {
	t.Helper()
	l := f.Link(t, tenant, principal, connector, more)
	b := f.NewBrowser(t)
	back := b.Open(t, b.Consent(t, l.Text("url"), person, "approve")).Want(t, 303).Header.Get("Location")
	u, err := url.Parse(back)
	if err != nil || !strings.HasPrefix(back, ReturnURL+"?") || u.Query().Get("status") != "consented" {
		t.Fatalf("the browser was sent to %q", back)
	}
	if id := u.Query().Get("connect_link"); id != l.Text("id") {
		t.Fatalf("came back with link %q, made %q", id, l.Text("id"))
	}
	return l.Text("id")
}

// Key has a person make a credential at a provider's settings page: what goes into the fields of the connector's form.
func (f *Fixture) Key(t testing.TB, provider, person string) map[string]string {
	t.Helper()
	fields, err := f.Emulator.Credential(provider, person)
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

// Fill opens a link's page, and sends its form with fields.
func (b *Browser) Fill(t testing.TB, link string, fields map[string]string) Answer {
	t.Helper()
	page := b.Open(t, link).Want(t, 200)
	return b.Submit(t, link, Form(page, fields))
}

// Form is what a browser sends of a form page: its hidden proof, and fields.
func Form(page Answer, fields map[string]string) url.Values {
	_, rest, _ := strings.Cut(page.Body, `name="_proof" value="`)
	proof, _, _ := strings.Cut(rest, `"`)
	form := url.Values{"_proof": {proof}}
	for name, v := range fields {
		form.Set(name, v)
	}
	return form
}

// Filled walks through the link of a connector with a form up to the return to the SaaS, and returns the link's id.
func (f *Fixture) Filled(t testing.TB, tenant, principal, connector string, fields map[string]string, more Object) string {
	t.Helper()
	l := f.Link(t, tenant, principal, connector, more)
	back := f.NewBrowser(t).Fill(t, l.Text("url"), fields).Want(t, 303).Header.Get("Location")
	if !strings.HasPrefix(back, ReturnURL+"?") || !strings.Contains(back, "status=consented") {
		t.Fatalf("the browser was sent to %q", back)
	}
	return l.Text("id")
}

// Confirm is the SaaS's word on who is signed in.
func (f *Fixture) Confirm(t testing.TB, link, principal string) Answer {
	t.Helper()
	return f.Back(t, "POST", "/v1/connect-links/"+url.PathEscape(link)+"/confirm", Object{"principal": principal})
}

// Connect connects a person's account for a principal, and returns the connection's id.
func (f *Fixture) Connect(t testing.TB, tenant, principal, connector, person string, more Object) string {
	t.Helper()
	return f.Confirm(t, f.Parked(t, tenant, principal, connector, person, more), principal).Want(t, 200).Text("connection_id")
}
