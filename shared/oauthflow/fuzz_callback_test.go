package oauthflow_test

import (
	"net/url"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
)

// FuzzCallback: whatever stands behind the question mark, a callback parks the code or ends the link once, or changes nothing;
// it never redeems, never sends anywhere but to the return URL, and never fails as a fault of ours.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{"code=c", "code=c&code=d", "error=access_denied", "error=server_error&code=c", "iss=https%3A%2F%2Fevil.example&code=c", "code=", "code=%00&x=%zz", "state=x&code=c", "code=c;state=y", "error=&error=x", "code=" + strings.Repeat("x", 5000)} {
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, raw string, ownCookie bool) {
		w := newWorld(t)
		made := w.create(nil)
		cookie, q := w.start(token(made), "")
		if !ownCookie {
			cookie = "other-" + cookie
		}
		answer, err := url.ParseQuery(raw)
		if err != nil {
			return // the gateway's to refuse
		}
		answer["state"] = append([]string{q.Get("state")}, answer["state"]...)
		before := w.link(made.Link.ID)
		to, err := w.arrive(oauthflow.Arrival{Query: answer, Cookie: cookie})
		after := w.link(made.Link.ID)
		switch {
		case err != nil && (fault.Is(err, fault.Internal) || after.Version != before.Version):
			t.Fatalf("%q: %v, link %s", raw, err, after.Status)
		case err == nil && !strings.HasPrefix(to, "https://app.example/done?"):
			t.Fatalf("%q leads to %q", raw, to)
		case err == nil && (!ownCookie || after.Status != oauthflow.LinkConsented && after.Status != oauthflow.LinkDenied):
			t.Fatalf("%q is accepted: %s", raw, after.Status)
		case len(w.exchanges) != 0:
			t.Fatalf("%q redeemed a code", raw)
		}
	})
}
