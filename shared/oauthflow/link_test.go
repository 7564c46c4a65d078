package oauthflow

import (
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

func TestCheckReturnURL_Table(t *testing.T) {
	t.Parallel()
	listed := []string{"https://app.example/done", "https://app.example/other?x=1"}
	for _, c := range []struct {
		url     string
		allowed []string
		ok      bool
	}{
		{"https://app.example/done", nil, true}, {"https://app.example/done?tab=1", nil, true}, {"https://app.example", nil, true}, {"https://app.example:8443/x", nil, true},
		{"http://localhost:3000/x", nil, true}, {"http://127.0.0.1/x", nil, true}, {"http://[::1]:3000/x", nil, true},
		{"", nil, false}, {"/done", nil, false}, {"//app.example/done", nil, false}, {"app.example/done", nil, false}, {"https:///done", nil, false}, {"https:app.example", nil, false},
		{"http://app.example/done", nil, false}, {"javascript:alert(1)", nil, false}, {"data:text/html,x", nil, false}, {"ftp://app.example/", nil, false}, {"HTTPS://app.example/", nil, true},
		{"https://user:pass@app.example/", nil, false}, {"https://app.example@evil.example/", nil, false}, {"https://app.example/#x", nil, false},
		{`https://app.example\@evil.example/`, nil, false}, {`https:\\evil.example`, nil, false}, {"https://app.example/\r\nSet-Cookie: a=b", nil, false}, {"https://app.example/ x", nil, false}, {"https://app.example/\tx", nil, false},
		{"http://localhost.evil.example/", nil, false}, {"http://127.0.0.1.evil.example/", nil, false}, {"http://127.0.0.1@evil.example/", nil, false}, {"http://0x7f000001/", nil, false}, {"https://app.example/%zz", nil, false},
		{"https://app.example/done", listed, true}, {"https://app.example/other?x=1", listed, true}, {"https://app.example/done/", listed, false}, {"https://app.example/done?x", listed, false},
		{"https://app.example/done/../evil", listed, false}, {"https://APP.example/done", listed, false}, {"https://app.example:443/done", listed, false}, {"https://app.example.evil.example/done", listed, false}, {"http://localhost/done", listed, false},
	} {
		err := CheckListedURL("/return_url", c.url, c.allowed)
		if (err == nil) != c.ok {
			t.Errorf("%q (of %d): %v, want accepted=%v", c.url, len(c.allowed), err, c.ok)
		}
		if err != nil && (!fault.Is(err, fault.InvalidInput) || fault.From(err).Field != "/return_url") {
			t.Errorf("%q: %v", c.url, err)
		}
	}
}

func TestTenantOf_Table(t *testing.T) {
	t.Parallel()
	s := strings.Repeat("a", 52)
	for in, want := range map[string]tenant.ID{
		"acme." + s: "acme", "cl_acme." + s: "acme", "a-1." + s: "a-1",
		"": "", "acme": "", "acme.": "", "." + s: "", "acme.short": "", "acme." + s + strings.Repeat("a", 13): "", "ACME." + s: "", "_deployment." + s: "", "a#b." + s: "", "../x." + s: "", "cl_cl_acme." + s: "",
	} {
		got, err := TenantOf(in)
		if got != want || (err == nil) != (want != "") || err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
}

func TestLink_Live(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 11, 22, 12, 15, 0, 0, time.UTC)
	for _, c := range []struct {
		status LinkStatus
		at     time.Time
		code   fault.Code
	}{
		{LinkOpen, end.Add(-time.Nanosecond), ""}, {LinkStarted, end.Add(-time.Minute), ""}, {LinkOpen, end, fault.NotFound}, {LinkStarted, end.Add(time.Hour), fault.NotFound},
		{LinkConsented, end.Add(-time.Minute), fault.Conflict}, {LinkConfirmed, end.Add(-time.Minute), fault.Conflict}, {LinkDenied, end.Add(-time.Minute), fault.Conflict}, {LinkFailed, end.Add(-time.Minute), fault.Conflict},
	} {
		err := Link{Status: c.status, Expires: end}.live(c.at, LinkOpen, LinkStarted)
		if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) {
			t.Errorf("%s at %s: %v, want %q", c.status, c.at, err, c.code)
		}
	}
}

func TestSameHash_EmptyHashNeverMatches(t *testing.T) {
	t.Parallel()
	if sameHash("", "") || sameHash(digest("a"), "b") || sameHash(digest("a"), "") || !sameHash(digest("a"), "a") {
		t.Error("sameHash is wrong")
	}
}

func TestLink_Back_KeepsTheQueryAndCannotBeSplit(t *testing.T) {
	t.Parallel()
	l := Link{ID: "cl_acme.x&status=consented", ReturnURL: "https://app.example/done?a=b&status=consented", Status: LinkDenied}
	if got := l.back(); got != "https://app.example/done?a=b&connect_link=cl_acme.x%26status%3Dconsented&status=denied" {
		t.Error(got)
	}
}

func TestLink_Standing_AnInterruptedConfirmationHasFailed(t *testing.T) {
	t.Parallel()
	parked := time.Date(2026, 11, 22, 12, 5, 0, 0, time.UTC)
	for _, c := range []struct {
		status LinkStatus
		at     time.Time
		want   LinkStatus
	}{
		{LinkConfirming, parked.Add(redeemTTL), LinkConfirming}, {LinkConfirming, parked.Add(redeemTTL + 1), LinkFailed},
		{LinkConfirmed, parked.Add(time.Hour), LinkConfirmed}, {LinkConsented, parked.Add(time.Hour), LinkConsented},
	} {
		if got := (Link{Status: c.status, ParkedUntil: parked}).Standing(c.at); got.Status != c.want || (got.Reason == "interrupted") != (got.Status == LinkFailed) {
			t.Errorf("%s at %s: %s %s", c.status, c.at, got.Status, got.Reason)
		}
	}
}
