package toolcall_test

import (
	"net/http"
	"testing"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/toolcall"
)

// A policy about arguments judges what the provider will read, however the caller spells it.
func TestProxy_PolicyOnArguments_OtherSpellingsDoNotPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(policy.Document{Cedar: `permit (principal, action, resource);
forbid (principal, action, resource) when { context.input.path like "/repos/secret/*" };
forbid (principal, action, resource) when { context.input has body && context.input.body.owner == "secret" };`})
	for path, pass := range map[string]bool{"repos/open/x": true, "repos/secret/x": false, "repos/%73ecret/x": false, "repos/%73%65cret/x": false, "repos//secret/x": false, "/repos/secret/x": false, "repos/secret%2Fx": false} {
		_, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "GET", Path: path})
		if (err == nil) != pass || !pass && !fault.Is(err, fault.PolicyDenied) && !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for body, pass := range map[string]bool{`{"owner":"open"}`: true, `{"owner":"open","a":[{"owner":1},{"owner":2}]}`: true, `{"owner":"secret"}`: false, `{"owner":"secret","owner":"open"}`: false,
		`{"owner":"open","owner":"secret"}`: false, `{"owner":"open"} {"owner":"secret"}`: false, `{"owner":"open","\u006fwner":"secret"}`: false, "{\"owner\":\"open\",\"x\":\"\xff\"}": false} {
		_, err := w.proxy(toolcall.ProxyCall{Connector: "github", Method: "POST", Path: "gists", Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}}})
		if (err == nil) != pass || !pass && !fault.Is(err, fault.PolicyDenied) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
