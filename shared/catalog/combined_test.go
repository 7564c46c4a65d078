package catalog_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"behalf.dev/behalf/shared/catalog"
)

// TestLoad_KnobsThatExcludeEachOther_AreRefusedWithTheField: each is of use alone.
func TestLoad_KnobsThatExcludeEachOther_AreRefusedWithTheField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, with, field string }{
		"a step behind a token that is joined with a certificate": {"client_auth: client_secret_basic, pkce", "client_auth: client_secret_basic, mtls: [token, api], pkce", "token.extra_steps[0]: cannot be combined with a certificate"},
		"a secret in a step of a client that has a certificate":   {"client_auth: client_secret_basic, pkce", "client_auth: tls_client_auth, mtls: [token], pkce", "token.extra_steps[0].request.body.secret"},
		"a capture of the code under its other name":              {`url: "{web}/authorize"}`, `url: "{web}/authorize", code_param: installation_id}`, "callback.capture.installation_id.param"},
		"a capture that a refresh would repeat as redirect URI":   {"capture: {installation: id}", "capture: {installation: id, redirect_uri: url}", "post_connect[0].capture.redirect_uri"},
		"consent at an address that only the answer tells":        {`authorize: {url: "{web}/authorize"}`, `authorize: {url: "{web}/{connection.installation}/authorize"}`, "authorize.url"},
		"a code to an address that only the token tells":          {`url: "{dc}/token"`, `url: "{dc}/{connection.base}/token"`, "token.url"},
		"a parameter of what the answer may lack":                 {`url: "{dc}/token"`, "url: \"{dc}/token\"\n  params: {at: \"{connection.server}\"}", "token.params.at"},
		"consent with a parameter that only the answer tells":     {`url: "{web}/authorize"}`, `url: "{web}/authorize", params: {at: "{connection.installation_id}"}}`, "authorize.params.at"},
		"a step behind nothing":                                   {"    - request: {method: POST", "    - on: [mint]\n      request: {method: POST", "token.extra_steps[0].on"},
	} {
		m := edit(t, full, c.old, c.with)
		if _, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(m)}}); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoad_WhatIsKnownByThen_CanBeUsed: the answer to the browser at the exchange, everything in refreshes and calls.
func TestLoad_WhatIsKnownByThen_CanBeUsed(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, edit(t, edit(t, full,
		`url: "{dc}/token"`, "url: \"{dc}/{connection.installation_id}/token\"\n  params: {at: \"{connection.installation_id}\"}"),
		`api: {base: "{web}/api"}`, `api: {base: "{web}/{connection.installation}/api", headers: {X-At: "{connection.server}"}}
refresh: {params: {site: "{connection.installation}"}}`), "")
	meta := map[string]string{"installation_id": "7"}
	if to, err := c.TokenURL(meta); err != nil || to != "https://us.plain.example/7/token" {
		t.Error(to, err)
	}
	if _, err := c.APIHeader(meta); err == nil {
		t.Error("a header of nothing")
	}
	if r, err := c.PostConnectRequest(0, meta); err != nil || r.Header.Get("X-At") != "" { // asked before everything is known
		t.Error(r.Header, err)
	}
	meta["installation"], meta["server"] = "8", "https://eu.plain.example"
	if u, err := c.ProxyURL("/x", nil, meta); err != nil || u.Path != "/8/api/x" {
		t.Error(u, err)
	}
	if h, err := c.APIHeader(meta); err != nil || h.Get("X-At") != "https://eu.plain.example" {
		t.Error(h, err)
	}
	shape, err := c.TokenShape(catalog.TokenCallOf{Renews: true, Metadata: meta})
	if err != nil || shape.Fields(nil).Get("site") != "8" || shape.Fields(nil).Get("at") != "7" {
		t.Error(shape.Fields(nil), err)
	}
}
