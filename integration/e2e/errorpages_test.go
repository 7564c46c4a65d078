package e2e_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

// mishap is one way to end on a page, and what the page must say. do returns the page, and the link that must not have led
// anywhere; an empty one has no link.
type mishap struct {
	name   string
	do     func(t *testing.T, f *e2e.Fixture) (page e2e.Answer, link string)
	status int
	says   []string
	// alive tells that the link is still good for the person that it was made for.
	alive bool
}

var (
	tags      = regexp.MustCompile(`(?s)<style>.*?</style>|<[^>]*>`)
	reference = regexp.MustCompile(`reference: req_[0-9a-z]{20,}`)
	spaces    = regexp.MustCompile(`\s+`)
)

// textOf is what a page says.
func textOf(a e2e.Answer) string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(a.Body, " ")), " "))
}

func connectMishaps() []mishap {
	// flow makes a link and goes to the provider and back; callback is where the provider sends the browser.
	flow := func(t *testing.T, f *e2e.Fixture) (l e2e.Answer, b *e2e.Browser, callback string) {
		l, b = f.Link(t, "acme", "user_alice", "github", nil), f.NewBrowser(t)
		return l, b, b.Consent(t, l.Text("url"), "alice", "approve")
	}
	changed := func(t *testing.T, address string, change func(url.Values)) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	return []mishap{
		{"no such link", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			return f.NewBrowser(t).Open(t, f.URL+"/connect/acme."+strings.Repeat("x", 40)), ""
		}, 404, []string{"This link does not work", "ask for a new link"}, false},
		{"link expired", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l := f.Link(t, "acme", "user_alice", "github", nil)
			f.Clock.Advance(16 * time.Minute)
			return f.NewBrowser(t).Open(t, l.Text("url")), l.Text("id")
		}, 404, []string{"This link has expired", "ask for a new link", "Nothing was connected"}, true},
		{"started without a cookie", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l := f.Link(t, "acme", "user_alice", "github", nil)
			return f.NewBrowser(t).Submit(t, l.Text("url"), nil), l.Text("id")
		}, 403, []string{"did not keep our cookie", "allow cookies"}, true},
		{"started from another site", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l := f.Link(t, "acme", "user_alice", "github", nil)
			return f.Do(t, e2e.Request{Method: "POST", Path: l.Text("url"), Header: http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"cross-site"}}}), l.Text("id")
		}, 403, []string{"This was not started on our page"}, true},
		{"opened in a second browser", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, _, _ := flow(t, f)
			second := f.NewBrowser(t)
			second.Open(t, l.Text("url"))
			return second.Submit(t, l.Text("url"), nil), l.Text("id")
		}, 409, []string{"This link was already used"}, true},
		{"came back in another browser", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, _, callback := flow(t, f)
			return f.NewBrowser(t).Open(t, callback), l.Text("id")
		}, 403, []string{"You started this in another browser", "close this page", "nothing was connected"}, true},
		{"came back to another provider's address", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b, callback := flow(t, f)
			return b.Open(t, strings.Replace(callback, "/oauth/callback/github", "/oauth/callback/slack", 1)), l.Text("id")
		}, 403, []string{"did not come from where we sent you", "start again", "Nothing was connected"}, true},
		{"state of nobody", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b, callback := flow(t, f)
			return b.Open(t, changed(t, callback, func(q url.Values) { q.Set("state", "acme."+strings.Repeat("y", 40)) })), l.Text("id")
		}, 400, []string{"start again"}, true},
		{"no state", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b, callback := flow(t, f)
			return b.Open(t, changed(t, callback, func(q url.Values) { q.Del("state") })), l.Text("id")
		}, 400, []string{"start again"}, true},
		{"code named twice", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b, callback := flow(t, f)
			return b.Open(t, changed(t, callback, func(q url.Values) { q.Add("code", "another") })), l.Text("id")
		}, 400, []string{"twice", "start again"}, true},
		{"state of an earlier attempt", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b, first := flow(t, f)
			b.Consent(t, l.Text("url"), "alice", "approve")
			return b.Open(t, first), l.Text("id")
		}, 409, []string{"You started again in the meantime", "Nothing was connected here"}, true},
		{"too late back from the provider", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b, callback := flow(t, f)
			f.Clock.Advance(16 * time.Minute)
			return b.Open(t, callback), l.Text("id")
		}, 404, []string{"This link has expired", "Nothing was connected"}, true},
		{"back from the provider twice", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b, callback := flow(t, f)
			b.Open(t, callback).Want(t, 303)
			f.Confirm(t, l.Text("id"), "user_bob").WantCode(t, "forbidden") // the code that is parked goes with it
			return b.Open(t, callback), l.Text("id")
		}, 409, []string{"This link was already used", "ask for a new link"}, false},
		{"opened after it failed", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b, callback := flow(t, f)
			b.Open(t, callback).Want(t, 303)
			f.Confirm(t, l.Text("id"), "user_bob").WantCode(t, "forbidden")
			return f.NewBrowser(t).Open(t, l.Text("url")), l.Text("id")
		}, 409, []string{"This link was already used", "ask for a new link"}, false},
		{"denied, and opened again", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b := f.Link(t, "acme", "user_alice", "salesforce", nil), f.NewBrowser(t)
			b.Open(t, b.Consent(t, l.Text("url"), "alice", "deny")).Want(t, 303)
			return b.Open(t, l.Text("url")), l.Text("id")
		}, 409, []string{"This link was already used"}, false},
		{"form of another browser", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, a, b := f.Link(t, "acme", "user_alice", "zendesk", nil), f.NewBrowser(t), f.NewBrowser(t)
			page := a.Open(t, l.Text("url")).Want(t, 200)
			b.Open(t, l.Text("url")).Want(t, 200)
			return b.Submit(t, l.Text("url"), e2e.Form(page, f.Key(t, "zendesk", "alice"))), l.Text("id")
		}, 403, []string{"You started this in another browser"}, true},
		{"form with a mistake", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			l, b := f.Link(t, "acme", "user_alice", "zendesk", nil), f.NewBrowser(t)
			page := b.Open(t, l.Text("url")).Want(t, 200)
			return b.Submit(t, l.Text("url"), e2e.Form(page, map[string]string{"subdomain": "..//", "email": "x", "api_token": ""})), l.Text("id")
		}, 422, []string{"Please correct what is marked", "does not look right"}, true},
	}
}

func portalMishaps() []mishap {
	entered := func(t *testing.T, f *e2e.Fixture) *e2e.Browser { return visit(t, f, portalLink(t, f, "user_alice")) }
	return []mishap{
		{"portal without a link", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			return f.NewBrowser(t).Open(t, f.URL+"/portal"), ""
		}, 401, []string{"This page needs a link"}, false},
		{"portal link that does not exist", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			return f.NewBrowser(t).Open(t, f.URL+"/portal/acme."+strings.Repeat("x", 40)), ""
		}, 404, []string{"This link does not work", "ask for a new link"}, false},
		{"portal link twice", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			link := portalLink(t, f, "user_alice")
			visit(t, f, link)
			return f.NewBrowser(t).Open(t, link), ""
		}, 409, []string{"This link was already used", "ask for a new link"}, false},
		{"portal link too late", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			link := portalLink(t, f, "user_alice")
			f.Clock.Advance(11 * time.Minute)
			return f.NewBrowser(t).Open(t, link), ""
		}, 404, []string{"This link has expired"}, false},
		{"visit that is over", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			b := entered(t, f)
			f.Clock.Advance(31 * time.Minute)
			return b.Open(t, f.URL+"/portal"), ""
		}, 401, []string{"Your visit has ended", "Open your connections again"}, false},
		{"somebody else's connection", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			return entered(t, f).Open(t, f.URL+"/portal/connections/conn_00000000000000000000000000"), ""
		}, 404, []string{"This connection is not here"}, false},
		{"sign-out without the form", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			return entered(t, f).Submit(t, f.URL+"/portal", nil), ""
		}, 403, []string{"This page was open for too long", "reload"}, false},
		{"approval link that does not exist", func(t *testing.T, f *e2e.Fixture) (e2e.Answer, string) {
			return f.NewBrowser(t).Open(t, f.URL+"/approve/acme."+strings.Repeat("x", 40)), ""
		}, 404, []string{"This link no longer works", "not counted"}, false},
	}
}

// TestErrorPages_EachMishap_IsExplainedAndLeavesNothing goes through the ways in which people can go wrong: each ends on a page that
// says what happened, what to do, and which reference to give, and nothing half-connected is in the tables.
func TestErrorPages_EachMishap_IsExplainedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, m := range append(connectMishaps(), portalMishaps()...) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			f.Back(t, "PUT", "/v1/tenants/acme", object{"name": "Acme"}).Want(t, 200)
			page, link := m.do(t, f)
			text := textOf(page)
			if page.Status != m.status || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%d %s: %s", page.Status, page.Header.Get("Content-Type"), text)
			}
			for _, want := range m.says {
				if !strings.Contains(text, want) {
					t.Errorf("the page does not say %q: %s", want, text)
				}
			}
			if m.status != 422 && (!strings.Contains(text, "What you can do") || !reference.MatchString(text)) {
				t.Errorf("no advice, or no reference: %s", text)
			}
			for _, bad := range []string{"invalid_input", "not_found", "conflict", "fault", "dynamodb", "%!", "state=", "code="} {
				if strings.Contains(text, bad) {
					t.Errorf("the page says %q: %s", bad, text)
				}
			}
			if link != "" && !m.alive {
				nothingLeft(t, f, link)
			}
			halfConnected(t, f)
		})
	}
}

// halfConnected fails the test if alice has a connection that is anything but a promise, or the vault holds tokens.
func halfConnected(t *testing.T, f *e2e.Fixture) {
	t.Helper()
	for _, c := range f.Back(t, "GET", "/v1/tenants/acme/connections", nil).Want(t, 200).List("connections") {
		if s := c["status"]; s != "pending" && s != "revoked" {
			t.Errorf("a connection is %v", s)
		}
	}
	for _, i := range scan(t, f, "vault", "") {
		if sk := attr(i, "sk"); strings.HasPrefix(sk, "G#") || strings.HasSuffix(sk, "#S0") || strings.HasSuffix(sk, "#S1") {
			t.Errorf("the vault holds %s %s", attr(i, "pk"), sk)
		}
	}
}
