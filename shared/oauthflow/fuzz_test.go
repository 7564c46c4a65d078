package oauthflow

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// FuzzTenantOf: whatever a browser brings as a state or link, only a well-formed tenant comes out, and it is the one in front.
func FuzzTenantOf(f *testing.F) {
	s := strings.Repeat("a", 52)
	for _, seed := range []string{"acme." + s, "cl_acme." + s, "", ".", "cl_", "acme", "ACME." + s, "a#b." + s, "_deployment." + s, "../x." + s, "acme.." + s, "acme\x00." + s, "%61cme." + s, "cl_cl_acme." + s} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		id, err := TenantOf(in)
		if err != nil {
			if id != "" || !fault.Is(err, fault.NotFound) {
				t.Fatalf("%q: %q %v", in, id, err)
			}
			return
		}
		if again, err := tenant.Parse("", string(id)); err != nil || again != id || !strings.HasPrefix(strings.TrimPrefix(in, "cl_"), string(id)+".") {
			t.Fatalf("%q: %q", in, id)
		}
	})
}

// FuzzReturnURL: what is accepted leads, in the way that a Location header is read, to the host that we checked.
func FuzzReturnURL(f *testing.F) {
	for _, seed := range []string{"https://app.example/done", "https://app.example/done?a=b", "http://localhost:3000/x", "http://[::1]/", "//evil", "https://a@b/", `https://evil\@app.example/`, "https://app.example/#", "https://app.example/\r\nX: y",
		"https://app。example/", "javascript:alert(1)", "https:/x", "https://[::1%25x]/", "https://app.example:0/", "HTTPS://APP.EXAMPLE", "https://app.example/%2e%2e/", "http://127.0.0.1.evil.example/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if CheckReturnURL("/return_url", in) != nil {
			return
		}
		u, err := url.Parse(in)
		if err != nil || u.User != nil || u.Fragment != "" || strings.ContainsAny(in, "\\\r\n\t #@") && strings.Contains(u.Host, "@") {
			t.Fatalf("%q is accepted: %v", in, err)
		}
		if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1") {
			t.Fatalf("%q is accepted", in)
		}
		to := Link{ID: "cl_acme.x", ReturnURL: in, Status: LinkConsented}.back()
		base, _ := url.Parse("https://behalf.example/oauth/callback/github")
		resolved, err := base.Parse(to) // as a browser does
		if err != nil || resolved.Host != u.Host || resolved.Scheme != u.Scheme || resolved.Query().Get("connect_link") != "cl_acme.x" || len(resolved.Query()["status"]) != 1 {
			t.Fatalf("%q leads to %q (%v)", in, to, err)
		}
		if h := (http.Header{"Location": {to}}); strings.ContainsAny(h.Get("Location"), "\r\n") {
			t.Fatalf("%q splits the header", in)
		}
		if CheckListedURL("", in, []string{in}) != nil || CheckListedURL("", in, []string{in + "/"}) == nil {
			t.Fatalf("%q: the list is not exact", in)
		}
	})
}
