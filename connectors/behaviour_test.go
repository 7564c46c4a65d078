package connectors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// each runs check for every connector with its testdata.
func each(t *testing.T, check func(*testing.T, *catalog.Connector, golden)) {
	t.Helper()
	for _, c := range load(t).Connectors() {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			check(t, c, readGolden(t, c.ID))
		})
	}
}

// asks reports that a connector has a token endpoint.
func asks(c *catalog.Connector) bool { return !c.Mode.Static() && c.Mode != catalog.ModeJWT }

func tools(t *testing.T, c *catalog.Connector) map[string]*catalog.Tool {
	t.Helper()
	list, err := c.Tools()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*catalog.Tool{}
	for _, tool := range list {
		byName[tool.Name] = tool
	}
	return byName
}

func TestTools_GoldenRequests_OnePerToolAtLeast(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		left := tools(t, c)
		all := maps.Clone(left)
		for _, r := range g.Requests {
			tool, ok := all[r.Tool]
			if !ok {
				t.Fatalf("no tool %q", r.Tool)
			}
			delete(left, r.Tool)
			input, err := tool.ValidateInput(json.RawMessage(r.Input))
			if err != nil {
				t.Fatalf("%s: %v", r.Tool, err)
			}
			bound, err := tool.Bind(input, r.Metadata)
			if err != nil {
				t.Fatalf("%s: %v", r.Tool, err)
			}
			req, err := bound.HTTP(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			checkWire(t, r.Tool, req, r.Want)
			if req.Header.Get("Authorization") != "" || bound.Auth != c.APIAuth {
				t.Errorf("%s: the credential is handled wrongly", r.Tool)
			}
		}
		for name := range left {
			t.Errorf("%s has no golden request in %s/testdata", name, c.ID)
		}
	})
}

func checkWire(t *testing.T, at string, req *http.Request, want wire) {
	t.Helper()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	if req.Method != want.Method || req.URL.String() != want.URL || string(body) != want.Body {
		t.Errorf("%s:\n got %s %s %s\nwant %s %s %s", at, req.Method, req.URL, body, want.Method, want.URL, want.Body)
	}
	for name, v := range want.Headers {
		if req.Header.Get(name) != v {
			t.Errorf("%s: header %s = %q, want %q", at, name, req.Header.Get(name), v)
		}
	}
}

func TestTools_BadInput_IsRefusedAtTheField(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		for _, r := range g.Refused {
			tool := tools(t, c)[r.Tool]
			input, err := tool.ValidateInput(json.RawMessage(r.Input))
			if err == nil {
				_, err = tool.Bind(input, r.Metadata)
			}
			if !fault.Is(err, fault.InvalidInput) || fault.From(err).Field != r.Field {
				t.Errorf("%s %s: %v", r.Tool, r.Input, err)
			}
		}
	})
}

func TestTools_Responses_AreShaped(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		for _, r := range g.Responses {
			got, err := tools(t, c)[r.Tool].Shape(r.Status, []byte(r.Body))
			if err != nil || canonical(t, string(got)) != canonical(t, r.Want) {
				t.Errorf("%s: %s, %v\nwant %s", r.Tool, got, err, r.Want)
			}
		}
	})
}

func canonical(t *testing.T, s string) string {
	t.Helper()
	var v map[string]json.RawMessage
	if json.Unmarshal([]byte(s), &v) != nil {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(s), &list); err != nil {
			return s
		}
		out := ""
		for _, item := range list {
			out += canonical(t, string(item)) + ","
		}
		return "[" + out + "]"
	}
	out := ""
	for _, k := range slices.Sorted(maps.Keys(v)) {
		out += fmt.Sprintf("%q:%s,", k, canonical(t, string(v[k])))
	}
	return "{" + out + "}"
}

func TestConnectors_TokenResponses_AreRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	after := func(s int) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return now.Add(time.Duration(s) * time.Second)
	}
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		if asks(c) && len(g.Tokens) < 2 {
			t.Error("testdata needs at least an exchange and a failure under tokens")
		}
		for _, tc := range g.Tokens {
			h := http.Header{"Content-Type": {"application/json"}}
			if tc.ContentType != "" {
				h.Set("Content-Type", tc.ContentType)
			}
			got, err := c.ParseTokenBody(200, h, []byte(tc.Body), now)
			w := tc.Want
			if w.Fault != "" {
				if !fault.Is(err, fault.Code(w.Fault)) {
					t.Errorf("%s: %v, want %s", tc.Name, err, w.Fault)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", tc.Name, err)
			}
			if !got.AccessToken.Equal(secret.FromString(w.AccessToken)) || !got.RefreshToken.Equal(secret.FromString(w.RefreshToken)) {
				t.Errorf("%s: wrong tokens", tc.Name)
			}
			if !got.ExpiresAt.Equal(after(w.ExpiresIn)) || !got.RefreshExpiresAt.Equal(after(w.RefreshExpiresIn)) {
				t.Errorf("%s: expires %v and %v", tc.Name, got.ExpiresAt, got.RefreshExpiresAt)
			}
			if got.ScopesStated != (len(w.Scopes) > 0) || !slices.Equal(got.Scopes, w.Scopes) || !maps.Equal(got.Metadata, w.Metadata) {
				t.Errorf("%s: scopes %v, metadata %v", tc.Name, got.Scopes, got.Metadata)
			}
		}
	})
}

func TestConnectors_Errors_HaveTheStatedOutcome(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		seen := map[string]bool{}
		for _, tc := range g.Outcomes {
			classify := c.ClassifyAPIResponse
			if tc.On == "token" {
				classify = c.ClassifyTokenError
			}
			h := http.Header{}
			for k, v := range tc.Headers {
				h.Set(k, v)
			}
			o, w := classify(tc.Status, h, []byte(tc.Body)), tc.Want
			seen[tc.On+" "+string(o.Kind)] = true
			if string(o.Kind) != w.Kind || o.Reason != w.Reason || o.Message != w.Message ||
				o.RetryAfter != time.Duration(w.RetryAfter)*time.Second || !slices.Equal(o.MissingScopes, w.MissingScopes) {
				t.Errorf("%s %d %s:\n got %+v\nwant %+v", tc.On, tc.Status, tc.Body, o, w)
			}
		}
		for _, must := range []string{"token dead", "token transient", "token config", "api ok", "api expired", "api transient", "api client_error"} {
			if !asks(c) && strings.HasPrefix(must, "token ") || c.Mode.Static() && must == "api expired" {
				continue
			}
			if !seen[must] {
				t.Errorf("testdata has no outcome %q", must)
			}
		}
	})
}

func TestConnectors_Identity_IsRequestedAndRead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		for _, tc := range g.Identity {
			w := tc.Want
			r, ok, err := c.IdentityRequest(tc.Metadata)
			if err != nil || !ok || r.URL.String() != w.URL || r.Method != w.Method {
				t.Fatalf("%v %v %v", r, ok, err)
			}
			got, err := c.ParseIdentity([]byte(tc.Body), tc.Metadata)
			want := catalog.Identity{AccountID: w.AccountID, Login: w.Login, Name: w.Name, Email: w.Email, TenantID: w.TenantID, TenantName: w.TenantName}
			if got != want || (w.Fault != "") != fault.Is(err, fault.Code(w.Fault)) {
				t.Errorf("%+v, %v; want %+v", got, err, w)
			}
		}
	})
}

func TestConnectors_TokenCalls_AreBuiltAndJudged(t *testing.T) {
	t.Parallel()
	build := func(t *testing.T, c *catalog.Connector, call catalog.TokenCall) *http.Request {
		token := map[catalog.TokenKind]string{catalog.TokenAccess: "ACCESS", catalog.TokenRefresh: "REFRESH"}[call.Token]
		req, err := call.HTTP(context.Background(), c.APIAuth, []byte("SECRET"), []byte("ACCESS"), []byte(token))
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		if g.Revoke != nil {
			spec, ok, err := c.RevokeRequest(g.Revoke.Metadata, "CLIENT")
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			checkWire(t, "revoke", build(t, c, spec.TokenCall), g.Revoke.Request)
			for _, a := range g.Revoke.Answers {
				if ok, summary := c.ParseRevoke(a.Status, http.Header{}, []byte(a.Body)); ok != a.OK || summary != a.Summary {
					t.Errorf("revoke %d %s: %v %q", a.Status, a.Body, ok, summary)
				}
			}
		}
		if _, has, _ := c.RevokeRequest(map[string]string{}, "CLIENT"); has && g.Revoke == nil {
			t.Error("revoke is not in testdata")
		}
		if g.Introspect != nil {
			call, ok, err := c.IntrospectRequest(g.Introspect.Metadata, "CLIENT")
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			checkWire(t, "introspect", build(t, c, call), g.Introspect.Request)
		}
	})
}

func TestConnectors_AuthorizeURL_IsTheGoldenOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		if c.Mode != catalog.ModeOAuth2 {
			return
		}
		if g.Authorize == nil {
			t.Fatal("authorize is not in testdata")
		}
		r := catalog.AuthorizeRequest{ClientID: "CLIENT", RedirectURI: "https://app.example/cb", State: "STATE", Scopes: g.Authorize.Scopes}
		if c.PKCE != catalog.PKCENever {
			r.CodeChallenge = "CHALLENGE"
		}
		got, err := c.AuthorizeURL(g.Authorize.Metadata, r)
		if err != nil || got != g.Authorize.Want {
			t.Errorf("got  %s, %v\nwant %s", got, err, g.Authorize.Want)
		}
	})
}

func TestConnectors_Policy_IsTheConfirmedOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		got := goldenPolicy{c.Mode, c.ClientAuth, c.PKCE, c.Rotation.Class, c.Rotation.OldAccessTokenDies, c.Expiry.Mode}
		if g.Policy == nil || *g.Policy != got {
			t.Errorf("manifest %+v, testdata %+v", got, g.Policy)
		}
	})
}
