package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestParseTokenResponse_Expiry_ByMode(t *testing.T) {
	t.Parallel()
	const introspect = "\nintrospect: {method: POST, url: \"{web}/i\", auth: client_basic, token: access, param: token, format: form}"
	for _, tc := range []struct {
		mode string
		in   any
		want time.Duration
	}{
		{"mode: field", float64(60), time.Minute}, {"mode: field", "60", time.Minute}, {"mode: field", nil, 0}, {"mode: field", "soon", 0},
		{"mode: field", float64(-5), 0}, {"mode: field", 1e300, 0}, {"mode: fixed, seconds: 30", float64(60), 30 * time.Second},
		{"mode: introspect, seconds: 30", nil, 30 * time.Second}, {"mode: on_401", float64(60), 0}, {"mode: never", float64(60), 0},
	} {
		m := edit(t, plain, "mode: field", tc.mode)
		if strings.Contains(tc.mode, "introspect") {
			m += introspect
		}
		raw := map[string]any{"access_token": "a"}
		if tc.in != nil {
			raw["expires_in"] = tc.in
		}
		got, err := mustLoad(t, m, "").ParseTokenResponse(raw, t0)
		want := time.Time{}
		if tc.want > 0 {
			want = t0.Add(tc.want)
		}
		if err != nil || !got.ExpiresAt.Equal(want) {
			t.Errorf("%s %v: %v %v", tc.mode, tc.in, got.ExpiresAt, err)
		}
	}
}

func TestParseTokenResponse_Failure_CarriesTheOutcomeAndNoToken(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, plain, "")
	_, err := c.ParseTokenBody(400, http.Header{}, []byte(`{"error":"invalid_grant","error_description":"token SECRETTOKEN expired","refresh_token":"SECRETTOKEN"}`), t0)
	var failure *catalog.ProviderFailure
	if !errors.As(err, &failure) || failure.Outcome.Kind != catalog.OutcomeDead || !fault.Is(err, fault.ReauthorizationRequired) {
		t.Fatal(err)
	}
	body, _ := fault.Problem(err, "r")
	if strings.Contains(err.Error()+string(body), "SECRETTOKEN") {
		t.Errorf("provider text leaked: %v %s", err, body)
	}
	for _, raw := range []map[string]any{{}, {"access_token": ""}, {"access_token": nil}, {"access_token": map[string]any{}}, {"access_token": "a", "error": "odd"}} {
		if _, err := c.ParseTokenResponse(raw, t0); !fault.Is(err, fault.ProviderError) {
			t.Errorf("%v: %v", raw, err)
		}
	}
	if got, err := c.ParseTokenResponse(map[string]any{"access_token": "SECRETTOKEN", "refresh_token": "SECRETTOKEN"}, t0); err != nil || strings.Contains(fmt.Sprintf("%+v %#v", got, got), "SECRETTOKEN") {
		t.Error("a token prints")
	}
}

func TestClassifyTokenError_PlainProvider_FollowsRFC6749(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, plain, "")
	for body, want := range map[string]catalog.OutcomeKind{
		`{"error":"invalid_grant"}`: catalog.OutcomeDead, `{"error":"invalid_client"}`: catalog.OutcomeConfig, `{"error":"unauthorized_client"}`: catalog.OutcomeConfig,
		`{"error":"temporarily_unavailable"}`: catalog.OutcomeTransient, `{"error":"invalid_request"}`: catalog.OutcomeError, `{"error":"x y"}`: catalog.OutcomeError,
		`nonsense`: catalog.OutcomeError, ``: catalog.OutcomeError, `[]`: catalog.OutcomeError,
	} {
		if o := c.ClassifyTokenError(400, http.Header{}, []byte(body)); o.Kind != want {
			t.Errorf("%s: %+v", body, o)
		}
	}
	o := c.ClassifyTokenError(400, http.Header{}, []byte(`{"error":"`+strings.Repeat("x", 99)+`","error_description":"a\u0000\n`+strings.Repeat("é", 999)+`"}`))
	if o.Reason != "http_400" || len([]rune(o.Message)) > 301 || strings.ContainsAny(o.Message, "\x00\n") {
		t.Errorf("not bounded: %+v", o)
	}
}

func TestClassifyAPIResponse_PlainProvider_ByStatus(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, plain, "")
	for status, want := range map[int]catalog.OutcomeKind{200: "ok", 201: "ok", 204: "ok", 301: "error", 400: "client_error", 401: "expired", 403: "error",
		404: "client_error", 408: "transient", 409: "client_error", 422: "client_error", 429: "transient", 500: "transient", 503: "transient"} {
		if o := c.ClassifyAPIResponse(status, nil, nil); o.Kind != want {
			t.Errorf("%d: %s, want %s", status, o.Kind, want)
		}
	}
}

func TestRetryAfter_Forms_RelativeToTheAnswersDate(t *testing.T) {
	t.Parallel()
	reset := func(unit string) *catalog.Connector {
		return mustLoad(t, edit(t, plain, `base: "{web}/api"`, `base: "{web}/api", rate_limit_reset: {header: X-Reset, unit: `+unit+`}`), "")
	}
	date := t0.Format(http.TimeFormat)
	for _, tc := range []struct {
		c    *catalog.Connector
		h    http.Header
		want time.Duration
	}{
		{reset("seconds"), http.Header{"Retry-After": {"7"}, "X-Reset": {"9"}}, 7 * time.Second},
		{reset("seconds"), http.Header{"Retry-After": {t0.Add(time.Minute).Format(http.TimeFormat)}, "Date": {date}}, time.Minute},
		{reset("seconds"), http.Header{"X-Reset": {"9"}}, 9 * time.Second},
		{reset("epoch_seconds"), http.Header{"X-Reset": {fmt.Sprint(t0.Unix() + 5)}, "Date": {date}}, 5 * time.Second},
		{reset("epoch_seconds"), http.Header{"X-Reset": {fmt.Sprint(t0.Unix() - 5)}, "Date": {date}}, 0},
		{reset("epoch_seconds"), http.Header{"X-Reset": {fmt.Sprint(t0.Unix() + 5)}}, 0},
		{reset("seconds"), http.Header{"Retry-After": {"-7"}}, 0}, {reset("seconds"), http.Header{"Retry-After": {"999999999"}}, 24 * time.Hour},
		{reset("seconds"), http.Header{"Retry-After": {"later"}}, 0},
	} {
		o := tc.c.ClassifyAPIResponse(429, tc.h, nil)
		if o.RetryAfter != tc.want || o.Kind != catalog.OutcomeTransient || fault.From(o.Fault("plain")).Code != fault.RateLimited {
			t.Errorf("%v: %v, want %v", tc.h, o.RetryAfter, tc.want)
		}
	}
}

func TestAuthorizeURL_PKCE_MustFitTheManifest(t *testing.T) {
	t.Parallel()
	use, never := mustLoad(t, plain, ""), mustLoad(t, edit(t, plain, "pkce: use", "pkce: never"), "")
	if _, err := use.AuthorizeURL(nil, catalog.AuthorizeRequest{}); err == nil {
		t.Error("no challenge was accepted")
	}
	if _, err := never.AuthorizeURL(nil, catalog.AuthorizeRequest{CodeChallenge: "x"}); err == nil {
		t.Error("a challenge was accepted")
	}
}

func TestScopes_RequestAndResponse(t *testing.T) {
	t.Parallel()
	m := edit(t, plain, "scopes: {known", `scopes: {separator: ",", required: [items], default: [admin], known`)
	c := mustLoad(t, m, "")
	for want, asked := range map[string][]string{"admin,items": nil, "items,x": {"x", "items", "x"}} {
		if got, err := c.RequestScopes(asked); err != nil || c.JoinScopes(got) != want {
			t.Errorf("%v: %v %v", asked, got, err)
		}
	}
	for _, bad := range []string{"", "a b", "a,b", "a\"", "é"} {
		if _, err := c.RequestScopes([]string{bad}); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%q accepted", bad)
		}
	}
	if got := strings.Join(c.SplitScopes(" b,a  c\n,b"), "|"); got != "a|b|c" {
		t.Error(got)
	}
}

func TestParseIntrospection(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, plain, "")
	active, at, err := c.ParseIntrospection(200, []byte(`{"active":true,"exp":1767225600}`))
	if err != nil || !active || !at.Equal(t0) {
		t.Errorf("%v %v %v", active, at, err)
	}
	if active, at, err := c.ParseIntrospection(200, []byte(`{"active":false}`)); err != nil || active || !at.IsZero() {
		t.Errorf("%v %v %v", active, at, err)
	}
	for _, tc := range []struct {
		status int
		body   string
	}{{200, `{}`}, {401, `{"active":true}`}, {200, `x`}, {200, `{"active":"yes"}`}} {
		if _, _, err := c.ParseIntrospection(tc.status, []byte(tc.body)); !fault.Is(err, fault.ProviderError) {
			t.Errorf("%v: %v", tc, err)
		}
	}
}

func TestIdentity_FromTheTokenResponse_NeedsNoRequest(t *testing.T) {
	t.Parallel()
	m := edit(t, plain, `token: {url: "{web}/token"}`, `token: {url: "{web}/token", capture: {uid: user.id}}`) + "identity: {capture: {account_id: uid}}\n"
	c := mustLoad(t, m, "")
	if _, ok, err := c.IdentityRequest(nil); ok || err != nil {
		t.Error("a request")
	}
	if id, err := c.ParseIdentity(nil, map[string]string{"uid": "u1"}); err != nil || id.AccountID != "u1" {
		t.Errorf("%v %v", id, err)
	}
	if _, err := c.ParseIdentity(nil, nil); !fault.Is(err, fault.ProviderError) {
		t.Error(err)
	}
}

func TestTokenCall_ClientBasic_EncodesBothParts(t *testing.T) {
	t.Parallel()
	m := plain + "revoke: {method: POST, url: \"{web}/revoke/{client_id}\", auth: client_basic, token: refresh, param: token, format: form, success: {status: [200]}, blast_radius: grant}\n"
	spec, ok, err := mustLoad(t, m, "").RevokeRequest(nil, "id:1")
	if err != nil || !ok || spec.BlastRadius != catalog.BlastGrant || spec.Token != catalog.TokenRefresh {
		t.Fatalf("%+v %v %v", spec, ok, err)
	}
	req, err := spec.HTTP(context.Background(), catalog.AuthHeader{}, []byte("s+c:r/t"), nil, []byte("tok"))
	if err != nil {
		t.Fatal(err)
	}
	user, pass, _ := req.BasicAuth() // RFC 6749, section 2.3.1: form-encoded before Basic
	if user != "id%3A1" || pass != "s%2Bc%3Ar%2Ft" || req.URL.String() != "https://plain.example/revoke/id:1" {
		t.Errorf("%s %s %s", user, pass, req.URL)
	}
	if _, _, err := mustLoad(t, m, "").RevokeRequest(nil, "../x"); err == nil {
		t.Error("a client id left its segment")
	}
	if _, ok, err := mustLoad(t, plain, "").RevokeRequest(nil, "x"); ok || err != nil {
		t.Error("a revocation out of nothing")
	}
}

func TestRules_ContainsIgnoresCase_AndOrderDecides(t *testing.T) {
	t.Parallel()
	m := edit(t, plain, "api: {dialect: status}", `api: {dialect: json, message: m, rules: [{status: [403], when: [{path: m, contains: Rate Limit}], outcome: transient}, {status: [403], outcome: dead}]}`)
	c := mustLoad(t, m, "")
	for body, want := range map[string]catalog.OutcomeKind{`{"m":"API RATE limit hit"}`: catalog.OutcomeTransient, `{"m":"no"}`: catalog.OutcomeDead, ``: catalog.OutcomeDead} {
		if o := c.ClassifyAPIResponse(403, nil, []byte(body)); o.Kind != want {
			t.Errorf("%s: %+v", body, o)
		}
	}
}

func TestOutcomeFault_EachKind_HasItsCode(t *testing.T) {
	t.Parallel()
	for kind, want := range map[catalog.OutcomeKind]fault.Code{
		catalog.OutcomeExpired: fault.ReauthorizationRequired, catalog.OutcomeDead: fault.ReauthorizationRequired, catalog.OutcomeScope: fault.ScopeMissing,
		catalog.OutcomeTransient: fault.ProviderError, catalog.OutcomeConfig: fault.ProviderError, catalog.OutcomeClientError: fault.ProviderError, catalog.OutcomeError: fault.ProviderError,
	} {
		o := catalog.Outcome{Kind: kind, Status: 400, Reason: "r", Message: "PROVIDER TEXT", MissingScopes: []string{"s"}}
		body, _ := fault.Problem(o.Fault("plain"), "")
		if !fault.Is(o.Fault("plain"), want) || strings.Contains(string(body), "PROVIDER TEXT") || !strings.Contains(string(body), `"reason":"r"`) {
			t.Errorf("%s: %s", kind, body)
		}
	}
}
