package mcp_test

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// withToken serves target with a session token added: the suite cannot send one. Nothing else is changed; Host and Origin
// pass as they are, because scenarios are about them.
func withToken(t *testing.T, target, token string) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}
