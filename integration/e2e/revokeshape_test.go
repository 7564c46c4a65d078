package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const plainEnd = `id: ends
name: Ends
description: A provider of which only the end matters.
docs_url: https://ends.example/docs
hosts: {web: https://ends.example}
auth: {mode: oauth2, client_auth: client_secret_post, pkce: required}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token", capture: {account: account}}
scopes: {default: [read], known: {read: {description: Read things, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity: {capture: {account_id: account}}
revoke: `

// TestRevoke_EachShape_IsSentAndReported covers the shapes that the other tests of this package do not.
func TestRevoke_EachShape_IsSentAndReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec, call, provider, answer string
		left                         int
	}{
		"by account": {`{method: POST, url: "{web}/deauthorize", auth: client_bearer, token: none, format: form, params: {app: "{client_id}", user: "{account_id}"}, success: {status: [200]}, effect: grant, blast_radius: grant}`,
			"POST /deauthorize", "revoked", "revoked (200)", 0},
		"access token alone": {`{method: DELETE, url: "{web}/tokens", auth: client_basic, token: access, param: access_token, format: json, success: {status: [204]}, effect: token, blast_radius: token}`,
			"DELETE /tokens", "revoked", "revoked (204); the refresh token is not ended by this call; it was erased here", 1},
		"by hand": {`{manual: {text: "Remove Ends under Settings, Apps.", url: "https://ends.example/apps"}}`,
			"", "unsupported", "Remove Ends under Settings, Apps. https://ends.example/apps", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, "ends")
			answer := p.answer
			p.answer = func(o *ownProvider, form url.Values) object {
				return merged(answer(o, form), object{"account": "acct&1"})
			}
			p.api = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case r.URL.Path == "/deauthorize" && r.Header.Get("Authorization") == "Bearer own-secret-0123456789" && r.PostForm.Get("user") == "acct&1" && r.PostForm.Get("app") == "own":
					for _, s := range p.alive() {
						p.end(s)
					}
					reply(w, 200, object{})
				case r.Method == "DELETE":
					for _, s := range p.alive() {
						if strings.Contains(s, "-at-") {
							p.end(s)
						}
					}
					w.WriteHeader(204)
				default:
					return false
				}
				return true
			}
			f := p.with(t, plainEnd+c.spec+"\n", "[]\n", map[string]string{"web": ""})
			id := connectOwn(t, f, "ends", nil)
			f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
			f.Settle(t)
			got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
			if got.Text("revocation.provider") != c.provider || got.Text("revocation.answer") != c.answer {
				t.Errorf("%s", got.Body)
			}
			if c.call != "" && p.count(c.call) != 1 || len(p.alive()) != c.left {
				t.Errorf("%v %v", p.asked, p.alive())
			}
			noSlots(t, f, "ends", id)
		})
	}
}
