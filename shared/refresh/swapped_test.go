package refresh

import (
	"testing"
	"testing/fstest"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
)

// TestSwapped_AnotherSiteInThePath_IsAnotherInstance: where the API's base holds what the provider named at consent, a refresh must
// name the same.
func TestSwapped_AnotherSiteInThePath_IsAnotherInstance(t *testing.T) {
	t.Parallel()
	const manifest = `id: plain
name: Plain
description: A provider by the book.
docs_url: https://plain.example/docs
hosts: {web: https://plain.example}
auth: {mode: oauth2, client_auth: client_secret_basic, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token", capture: {site: site}}
scopes: {mode: fixed}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{web}/ex/{connection.site}"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`
	cat, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(manifest)}})
	if err != nil {
		t.Fatal(err)
	}
	j := job{spec: cat.Connectors()[0], conn: connection.Connection{Metadata: map[string]string{"site": "s1"}}}
	for site, want := range map[string]string{"s1": "", "s2": ReasonInstanceChanged, "": ""} {
		facts := connection.TokenFacts{}
		if site != "" {
			facts.Metadata = map[string]string{"site": site}
		}
		if got := swapped(j, facts); got != want {
			t.Errorf("%q: %q, want %q", site, got, want)
		}
	}
}
