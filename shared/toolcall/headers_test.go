package toolcall_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/toolcall"
)

// hop are the headers of one hop (RFC 9110, section 7.6.1) and those that speak for a caller.
var hop = [...]string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Content-Encoding", "Host",
	"Cookie", "Set-Cookie", "Set-Cookie2", "Authorization", "Www-Authenticate", "Authentication-Info", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via", "Server", "X-Powered-By", "X-Amz-Security-Token",
	"X-Http-Method-Override", "X-Original-Url", "X-Rewrite-Url", "Origin", "Referer", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Content-Security-Policy", "Strict-Transport-Security", "Clear-Site-Data",
	"Service-Worker-Allowed", "Refresh", "Alt-Svc", "Expect", "X-Request-Id", "Behalf-Execution", "Behalf-Provider-Status", "Idempotent-Replayed", "X-Secret-Of-The-Provider"}

func TestProxy_Headers_OnlyListedOnesPassEitherWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sent := http.Header{"Accept": {"text/plain"}, "Range": {"bytes=0-9"}}
	back := http.Header{"Content-Type": {"text/plain"}, "Etag": {"x"}}
	for _, h := range hop {
		if h != "Content-Encoding" { // refused, elsewhere
			sent[h] = []string{"from-the-caller"}
		}
		back[h] = []string{"from-the-provider"}
	}
	back["Connection"] = []string{"Etag"} // names a listed header as one of the hop
	w.answer = func(r *http.Request) (egress.Response, error) {
		for name, v := range r.Header {
			if strings.Contains(strings.Join(v, ","), "from-the-caller") {
				t.Errorf("%s went out: %q", name, v)
			}
		}
		if r.Host != "api.github.com" && r.Host != "" || r.Header.Get("Authorization") != "Bearer "+accessToken {
			t.Errorf("host %q, authorization %q", r.Host, r.Header.Get("Authorization"))
		}
		return egress.Response{Status: 200, Header: back, Body: []byte("ok")}, nil
	}
	res, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "user", Header: sent})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range res.Header {
		if name != "Content-Type" && name != "Etag" {
			t.Errorf("%s came back: %q", name, v)
		}
	}
}

func TestProxy_HeadersWithTheCredential_AreRedactedInEveryEncoding(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte("x:" + accessToken))
	for _, echo := range []string{accessToken, url.QueryEscape(accessToken), basic, strings.ReplaceAll(accessToken, "_", "%5F"), url.QueryEscape(basic)} {
		w := newWorld(t)
		w.answer = func(*http.Request) (egress.Response, error) {
			return egress.Response{Status: 302, Header: http.Header{"Location": {"https://elsewhere.example/?access_token=" + echo + "&x=1"}, "Link": {"<https://x/?t=" + echo + `>; rel="next"`}, "Etag": {`"` + echo + `"`},
				"X-Ratelimit-Who": {echo}, "Authorization": {echo}, "Content-Disposition": {"attachment; filename=" + echo}}}, nil
		}
		res, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "user"})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Header) != 5 {
			t.Errorf("%v", res.Header)
		}
		for name, v := range res.Header {
			if strings.Contains(v[0], echo) || !strings.Contains(v[0], secret.Redacted) {
				t.Errorf("%s: %q", name, v)
			}
		}
	}
}

// A rule about paths, and the record, go by the bytes that are sent, however the caller wrote them.
func TestProxy_PathInDisguise_RuleSeesWhatIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(policy.Document{Cedar: `permit(principal, action, resource); forbid(principal, action, resource) when { context.input.path like "/admin/*" };`})
	for _, path := range []string{"admin/users", "%61dmin/users", "/admin/users", "adm%69n/us%65rs", "admin%2fusers", "admin%2Fus%65rs/1"} {
		if _, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "GET", Path: path}); err == nil {
			t.Errorf("%s was let through", path)
		}
	}
	if len(w.sent) != 0 {
		t.Errorf("%d sent", len(w.sent))
	}
	if _, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "repos/a/b/br%61nches/feature%2fx"}); err != nil {
		t.Fatal(err)
	}
	if got, on := w.sent[0].URL.EscapedPath(), w.last().Path; got != "/repos/a/b/branches/feature%2Fx" || on != got {
		t.Errorf("sent %s, on record %s", got, on)
	}
}
