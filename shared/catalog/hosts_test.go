package catalog_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

func captured(t *testing.T) string {
	m := edit(t, plain, "{web: https://plain.example}", `{web: https://plain.example, org: {capture: base, allow: ["*.my.plain.example", api.plain.example]}}`)
	m = edit(t, m, `token: {url: "{web}/token"}`, `token: {url: "{web}/token", capture: {base: base}}`)
	return edit(t, m, `api: {base: "{web}/api"}`, `api: {base: "{org}/api"}`)
}

func TestCapturedHost_OnlyTheAllowList_AtEveryUse(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, captured(t), "")
	for _, ok := range []string{"https://acme.my.plain.example", "https://a.b.my.plain.example/", "https://ACME.my.plain.example", "https://api.plain.example"} {
		u, err := c.ProxyURL("x", nil, map[string]string{"base": ok})
		if err != nil || !strings.HasSuffix(u.Host, ".plain.example") || u.Host != strings.ToLower(u.Host) {
			t.Errorf("%q refused: %v %v", ok, u, err)
		}
	}
	for _, bad := range []string{
		"", "http://acme.my.plain.example", "https://my.plain.example", "https://evilmy.plain.example", "https://acme.my.plain.example.evil.example",
		"https://evil.example/acme.my.plain.example", "https://evil.example?.my.plain.example", "https://evil.example#.my.plain.example", "https://acme.my.plain.example#",
		"https://u@acme.my.plain.example", "https://acme.my.plain.example@evil.example", "https://acme.my.plain.example:8443", "https://acme.my.plain.example:",
		"https://acme.my.plain.example/path", "https://acme.my.plain.example?q", "https://acme.my.plain.example.", "https://.my.plain.example",
		"https://a..my.plain.example", `https://evil.example\.my.plain.example`, "https://evil.example%2f.my.plain.example", "https://evil.example%00.my.plain.example",
		"https://127.0.0.1", "https://[::1]", "//acme.my.plain.example", "acme.my.plain.example", "https:acme.my.plain.example", "javascript:alert(1)",
		"https://x.api.plain.example", "https://evil.example\t.my.plain.example", " https://acme.my.plain.example", "https://-a.my.plain.example",
	} {
		u, err := c.ProxyURL("x", nil, map[string]string{"base": bad})
		if !fault.Is(err, fault.ProviderError) {
			t.Errorf("%q accepted: %v %v", bad, u, err)
		}
		_, err = c.ParseTokenResponse(map[string]any{"access_token": "a", "base": bad}, time.Unix(0, 0))
		if bad != "" && !fault.Is(err, fault.ProviderError) {
			t.Errorf("%q stored: %v", bad, err)
		}
	}
}

func TestCapturedHost_Override_OnlyBelowIt(t *testing.T) {
	t.Parallel()
	hosts := catalog.Hosts{"plain": {"org": "http://127.0.0.1:8788/plain/orgs/"}}
	c := mustLoad(t, captured(t), "", catalog.WithHosts(hosts))
	for _, ok := range []string{"http://127.0.0.1:8788/plain/orgs", "http://127.0.0.1:8788/plain/orgs/acme", "http://127.0.0.1:8788/plain/orgs/acme/"} {
		u, err := c.ProxyURL("/v1/x", url.Values{"a": {"b"}}, map[string]string{"base": ok})
		if err != nil || u.String() != strings.TrimSuffix(ok, "/")+"/api/v1/x?a=b" {
			t.Errorf("%q: %v %v", ok, u, err)
		}
	}
	for _, bad := range []string{
		"http://127.0.0.1:8788/plain/orgsx", "http://127.0.0.1:8788/plain", "http://127.0.0.1:8788/plain/orgs/../x", "http://127.0.0.1:8788/plain/orgs/%2e%2e/x",
		"http://127.0.0.1:9/plain/orgs/a", "https://127.0.0.1:8788/plain/orgs/a", "http://localhost:8788/plain/orgs/a", "http://127.0.0.1:8788/plain/orgs/a?b",
		"https://acme.my.plain.example", "http://u@127.0.0.1:8788/plain/orgs/a", "http://127.0.0.1:8788/plain/orgs//a",
	} {
		if u, err := c.ProxyURL("x", nil, map[string]string{"base": bad}); err == nil {
			t.Errorf("%q accepted: %v", bad, u)
		}
	}
}

func TestHosts_BadOverride_IsRefused(t *testing.T) {
	t.Parallel()
	for want, hosts := range map[string]catalog.Hosts{
		`connector "plian"`:        {"plian": {"web": "https://x.example"}},
		`host "wbe"`:               {"plain": {"wbe": "https://x.example"}},
		"http on a loopback":       {"plain": {"web": "http://emulator.example:8788"}},
		"without user information": {"plain": {"web": "https://a:b@x.example"}},
		"want https, or http":      {"plain": {"web": "ftp://127.0.0.1"}},
		"want scheme and host":     {"plain": {"web": "/emulator"}},
		"the path is not clean":    {"plain": {"web": "https://x.example/a/../b"}},
	} {
		if _, err := catalog.Load(tree(plain, ""), catalog.WithHosts(hosts)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", hosts, err, want)
		}
	}
}

func TestProxyURL_Path_StaysBelowTheBase(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, plain, "")
	for path, want := range map[string]string{
		"repos/a b": "https://plain.example/api/repos/a%20b", "/x%20y/z": "https://plain.example/api/x%20y/z", "": "https://plain.example/api/",
		"a:b@c": "https://plain.example/api/a:b@c",
	} {
		if u, err := c.ProxyURL(path, nil, nil); err != nil || u.String() != want || u.Host != "plain.example" {
			t.Errorf("%q: %v %v", path, u, err)
		}
	}
	for _, bad := range []string{"//evil.example/x", "a//b", "..", "../x", "a/../b", "a/%2e%2e/b", "a/.%2E/b", "a%2fb", "a%5cb", `a\b`, "a%00b", "a?b", "a#b", "a%3fb", "a%252e", "%zz", "./a", "a%0d%0aX: y", "..;/x", "a/..;b=c/x", "a/%2e%2e%3bx/y", ".;/x"} {
		if u, err := c.ProxyURL(bad, nil, nil); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%q: %v", bad, u)
		}
	}
}
