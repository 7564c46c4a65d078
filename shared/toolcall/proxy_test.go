package toolcall_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/toolcall"
)

func (w *world) proxy(p toolcall.ProxyCall, tools ...string) (toolcall.ProxyResult, error) {
	return w.exec.Proxy(w.t.Context(), authn.Session{ID: "sess_1", Scope: alice, Tools: tools}, p)
}

func TestProxy_Answer_ComesBackWithoutWhatIsNotTheCallersBusiness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = func(r *http.Request) (egress.Response, error) {
		if got := r.URL.String(); got != "https://api.github.com/repos/a%20b/c?q=1&q=2" || r.Header.Get("Authorization") != "Bearer "+accessToken {
			t.Errorf("%s with %q", got, r.Header.Get("Authorization"))
		}
		for _, gone := range []string{"Cookie", "X-Forwarded-For", "Behalf-Connection", "Host"} {
			if r.Header.Get(gone) != "" {
				t.Errorf("%s went out", gone)
			}
		}
		if r.Header.Get("If-None-Match") != `"e"` || r.Header.Get("Accept") != "text/plain" || r.Header.Get("X-Github-Api-Version") == "" {
			t.Errorf("headers %v", r.Header)
		}
		return egress.Response{Status: 418, Header: http.Header{"Content-Type": {"text/plain"}, "Set-Cookie": {"a=b"}, "Server": {"x"}, "Etag": {`"f"`}, "X-Ratelimit-Remaining": {"7"},
			"Link": {"<https://x/?token=" + accessToken + ">"}}, Body: []byte("tea " + accessToken)}, nil
	}
	res, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "repos/a%20b/c", Query: url.Values{"q": {"1", "2"}},
		Header: http.Header{"Authorization": {"Bearer session"}, "Cookie": {"c"}, "X-Forwarded-For": {"1.2.3.4"}, "If-None-Match": {`"e"`}, "Accept": {"text/plain"}, "Behalf-Connection": {"x"}}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != 418 || string(res.Body) != "tea "+secret.Redacted || res.Header.Get("Link") != "<https://x/?token="+secret.Redacted+">" {
		t.Errorf("%d %s %v", res.Status, res.Body, res.Header)
	}
	if len(res.Header) != 4 || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("headers back %v", res.Header)
	}
	records, _, err := w.store.Records(t.Context(), "acme", dynamo.AuditPage{From: w.now.Add(-1), To: w.now.Add(1), Limit: 9})
	if err != nil || len(records) != 2 || records[0].Kind != audit.ExecutionOutcome {
		t.Fatalf("%v %v", records, err)
	}
	for _, r := range records {
		if r.Tool != "github_proxy" || r.Effect != "read" || r.Method != "GET" || r.Path != "/repos/a%20b/c" || r.InputSHA256 == "" {
			t.Errorf("on record: %+v", r)
		}
	}
}

func TestProxy_Refusals_NothingIsSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		call  toolcall.ProxyCall
		tools []string
		code  fault.Code
	}{
		"session limited to tools": {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "user"}, []string{"github_get_authenticated_user"}, fault.Forbidden},
		"other connector's proxy":  {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "user"}, []string{"slack_proxy"}, fault.Forbidden},
		"unknown connector":        {toolcall.ProxyCall{Connector: "nope", Method: "GET", Path: "user"}, nil, fault.NotFound},
		"not connected":            {toolcall.ProxyCall{Connector: "slack", Method: "GET", Path: "user"}, nil, fault.ConnectionRequired},
		"CONNECT":                  {toolcall.ProxyCall{Connector: "github", Method: "CONNECT", Path: "user"}, nil, fault.InvalidInput},
		"TRACE":                    {toolcall.ProxyCall{Connector: "github", Method: "TRACE", Path: "user"}, nil, fault.InvalidInput},
		"dot segment":              {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "a/../../b"}, nil, fault.InvalidInput},
		"encoded dot segment":      {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "a/%2e%2e/b"}, nil, fault.InvalidInput},
		"encoded slash":            {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "a%2f..%2fb"}, nil, fault.InvalidInput},
		"twice encoded":            {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "a/%252e%252e/b"}, nil, fault.InvalidInput},
		"backslash":                {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: `a\..\b`}, nil, fault.InvalidInput},
		"line break":               {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "a%0d%0ab"}, nil, fault.InvalidInput},
		"another host":             {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "@evil.example/"}, nil, ""},
		"scheme in the path":       {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "https:/evil.example/"}, nil, ""},
		"empty segment":            {toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "https://evil.example/"}, nil, fault.InvalidInput},
		"encoded body":             {toolcall.ProxyCall{Connector: "github", Method: "POST", Path: "user", Header: http.Header{"Content-Encoding": {"gzip"}}}, nil, fault.InvalidInput},
	} {
		w := newWorld(t)
		_, err := w.proxy(c.call, c.tools...)
		if c.code == "" { // stays below the base
			if err != nil || len(w.sent) != 1 || w.sent[0].URL.Host != "api.github.com" || !strings.HasPrefix(w.sent[0].URL.Path, "/") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !fault.Is(err, c.code) || len(w.sent) > 0 {
			t.Errorf("%s: %v, %d sent", name, err, len(w.sent))
		}
	}
}

func TestProxy_WriteWithKey_IsSentOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	call := toolcall.ProxyCall{Connector: "github", Method: "POST", Path: "gists", Body: []byte(`{"a":1}`), IdempotencyKey: "k"}
	first, err := w.proxy(call, "github_proxy")
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.proxy(call)
	if err != nil || !again.Replayed || string(again.Body) != string(first.Body) || again.Status != first.Status || again.ExecutionID != first.ExecutionID {
		t.Errorf("%+v %v", again, err)
	}
	call.Body = []byte(`{"a":2}`)
	_, err = w.proxy(call)
	wantCode(t, err, fault.Conflict, "key_reused")
	if len(w.sent) != 1 {
		t.Errorf("%d requests", len(w.sent))
	}
}

func TestProxy_WriteLostInAGateway_OutcomeUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answers(status(504))
	_, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "POST", Path: "gists"})
	wantCode(t, err, fault.OutcomeUnknown, "provider_gateway")
	if res, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "GET", Path: "gists"}); err != nil || res.Status != 504 {
		t.Errorf("a read: %+v %v", res, err)
	}
}
