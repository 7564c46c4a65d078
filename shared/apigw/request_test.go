package apigw_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

type inner struct {
	Deep int `json:"deep"`
}

type body struct {
	Name  string          `json:"name"`
	Count int             `json:"count"`
	Inner inner           `json:"inner"`
	List  []inner         `json:"list"`
	Raw   json.RawMessage `json:"raw"`
}

func request(b string) *apigw.Request {
	return apigw.NewRequest(events.APIGatewayProxyRequest{Body: b})
}

func TestJSON_Table(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, field string }{
		"empty": {"", ""}, "blank": {" \n\t", ""}, "null": {" null\n", ""}, "bytes that are no UTF-8": {"{\"name\":\"\xff\"}", ""}, "list": {"[]", ""}, "text": {`"x"`, ""}, "number": {"1", ""}, "open": {"{", ""}, "trailing comma": {`{"name":"a",}`, ""}, "comment": {`{"name":"a"} // x`, ""},
		"two values": {`{"name":"a"}{}`, ""}, "value and garbage": {`{"name":"a"} x`, ""}, "unknown": {`{"nome":"a"}`, "/nome"}, "twice": {`{"name":"a","name":"b"}`, "/name"}, "twice in another case": {`{"name":"a","NAME":"b"}`, "/name"},
		"twice, equal": {`{"name":"a","name":"a"}`, "/name"}, "twice, escaped": {`{"name":"a","n\u0061me":"b"}`, "/name"}, "twice within": {`{"inner":{"deep":1,"deep":2}}`, "/inner/deep"},
		"twice within a list": {`{"list":[{"deep":1},{"deep":1,"deep":2}]}`, "/list/deep"}, "twice in raw input": {`{"raw":{"a":{"b":1,"b":2}}}`, "/raw/a/b"}, "wrong type": {`{"count":"1"}`, "/count"}, "wrong type within": {`{"inner":{"deep":"x"}}`, "/inner/deep"},
		"object for text": {`{"name":{}}`, "/name"}, "fraction for a whole number": {`{"count":1.5}`, "/count"}, "too large a number": {`{"count":1e99}`, "/count"}, "too large": {`{"name":"` + strings.Repeat("x", apigw.MaxBody) + `"}`, ""},
		"too deep": {strings.Repeat(`{"inner":`, 20000), ""},
	} {
		var b body
		err := request(c.body).JSON(&b)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !fault.Is(err, fault.InvalidInput) || fault.From(err).Field != c.field || fault.From(err).Message == "" {
			t.Errorf("%s: %v (field %q), want field %q", name, err, fault.From(err).Field, c.field)
		}
	}
	for _, good := range []string{`{}`, ` {"name":"a","count":1,"inner":{"deep":2},"list":[{"deep":1},{"deep":1}],"raw":{"a":1,"A":2,"b":[1,[{"a":1},{"a":1}]]}} `, `{"name":"name","raw":["name","name"]}`, `{"raw":{"x":{"k":1},"y":{"k":1}}}`} {
		var b body
		if err := request(good).JSON(&b); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func FuzzJSON_AgreesWithEncodingJSON(f *testing.F) {
	f.Add(`{"name":"a","raw":{"b":[1,{"c":2}]}}`)
	f.Add(`{"raw":[[],{}],"list":[{"deep":1}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		var strict body
		if request(s).JSON(&strict) != nil {
			return
		}
		var plain body
		if err := json.Unmarshal([]byte(s), &plain); err != nil {
			t.Errorf("%q was accepted, and is not JSON: %v", s, err)
		}
		a, _ := json.Marshal(strict) // both were decoded from JSON
		b, _ := json.Marshal(plain)
		if !bytes.Equal(a, b) {
			t.Errorf("%q reads as %s and as %s", s, a, b)
		}
	})
}

func TestBody_Base64_IsDecoded(t *testing.T) {
	t.Parallel()
	r := apigw.NewRequest(events.APIGatewayProxyRequest{Body: base64.StdEncoding.EncodeToString([]byte(`{"name":"a"}`)), IsBase64Encoded: true})
	var b body
	if err := r.JSON(&b); err != nil || b.Name != "a" {
		t.Errorf("%v %v", b, err)
	}
	if _, err := apigw.NewRequest(events.APIGatewayProxyRequest{Body: "%", IsBase64Encoded: true}).Body(); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("%v", err)
	}
}

func query(q map[string][]string) *apigw.Request {
	return apigw.NewRequest(events.APIGatewayProxyRequest{MultiValueQueryStringParameters: q})
}

func TestOnly_Table(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query   map[string][]string
		allowed []string
		field   string
	}{
		"none": {nil, nil, ""}, "known": {map[string][]string{"a": {"1"}}, []string{"a", "b"}, ""}, "unknown": {map[string][]string{"c": {"1"}}, []string{"a"}, "c"}, "another case": {map[string][]string{"A": {"1"}}, []string{"a"}, "A"},
		"twice": {map[string][]string{"a": {"1", "2"}}, []string{"a"}, "a"}, "none allowed": {map[string][]string{"a": {"1"}}, nil, "a"}, "empty value": {map[string][]string{"a": {""}}, []string{"a"}, ""}, "empty name": {map[string][]string{"": {"x"}}, []string{"a"}, ""},
	} {
		err := query(c.query).Only(c.allowed...)
		if name == "empty name" {
			if !fault.Is(err, fault.InvalidInput) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if (err != nil) != (c.field != "") || err != nil && fault.From(err).Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimit_Table(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"": 50, "1": 1, "200": 200, "201": 0, "0": 0, "-1": 0, "x": 0, "1.5": 0, " 1": 0, "99999999999999999999": 0} {
		n, err := query(map[string][]string{"limit": {in}}).Limit(50, 200)
		if n != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d %v", in, n, err)
		}
	}
}

func TestCursor_RoundTripAndForeignOnes(t *testing.T) {
	t.Parallel()
	if apigw.Cursor("") != "" {
		t.Error("no position must give no cursor")
	}
	for _, p := range []string{"a", "conn_01", "2026-11-22T12:00:00Z aud_1", "ü#|"} {
		got, err := query(map[string][]string{"cursor": {apigw.Cursor(p)}}).Position()
		if got != p || err != nil {
			t.Errorf("%q: %q %v", p, got, err)
		}
	}
	for _, bad := range []string{"x", "%", "MQ", "Mg", base64.RawURLEncoding.EncodeToString([]byte("2abc")), base64.StdEncoding.EncodeToString([]byte("1abc"))} {
		if _, err := query(map[string][]string{"cursor": {bad}}).Position(); !fault.Is(err, fault.InvalidInput) || fault.From(err).Field != "cursor" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestPath_DecodesOnceAndRefusesBrokenEscapes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a%2Fb": "a/b", "a%252Fb": "a%2Fb", "%C3%BC": "ü", "a+b": "a+b"} {
		got, err := apigw.NewRequest(events.APIGatewayProxyRequest{PathParameters: map[string]string{"p": in}}).Path("p")
		if got != want || err != nil {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
	if _, err := apigw.NewRequest(events.APIGatewayProxyRequest{PathParameters: map[string]string{"p": "%zz"}}).Path("p"); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("%v", err)
	}
}

func event(route string, authorizer map[string]any) events.APIGatewayProxyRequest {
	method, resource, _ := strings.Cut(route, " ")
	return events.APIGatewayProxyRequest{HTTPMethod: method, Resource: resource, Path: resource, PathParameters: map[string]string{"tenant": "acme"}, RequestContext: events.APIGatewayProxyRequestContext{RequestID: "req_1", Authorizer: authorizer}}
}

func TestMux_ErrorsPanicsAndUnknownRoutes_AreProblems(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	m := apigw.NewMux(slog.New(slog.NewTextHandler(&logs, nil)), map[string]apigw.Handler{
		"GET /panic": func(context.Context, *apigw.Request) (*apigw.Response, error) { panic("ghu_secret") },
		"GET /error": func(context.Context, *apigw.Request) (*apigw.Response, error) { return nil, errors.New("private") },
		"GET /later": func(context.Context, *apigw.Request) (*apigw.Response, error) {
			return nil, fault.New(fault.RateLimited, "slow down").WithRetryAfter(1500 * time.Millisecond)
		},
		"GET /bytes": func(context.Context, *apigw.Request) (*apigw.Response, error) {
			return &apigw.Response{Status: 200, Header: http.Header{}, Body: []byte{0xff, 0xfe}}, nil
		},
	})
	for route, status := range map[string]int{"GET /panic": 500, "GET /error": 500, "GET /later": 429, "GET /none": 404, "POST /error": 404} {
		res, err := m.Handle(t.Context(), event(route, nil))
		if err != nil || res.StatusCode != status || res.MultiValueHeaders["Content-Type"][0] != fault.ContentType || !strings.Contains(res.Body, `"request_id":"req_1"`) {
			t.Errorf("%s: %v %+v", route, err, res)
		}
		if strings.Contains(res.Body, "private") || strings.Contains(res.Body, "ghu_secret") || res.MultiValueHeaders["X-Content-Type-Options"] == nil {
			t.Errorf("%s: %s", route, res.Body)
		}
		if status == 429 && res.MultiValueHeaders["Retry-After"][0] != "2" {
			t.Errorf("%v", res.MultiValueHeaders)
		}
	}
	if res, _ := m.Handle(t.Context(), event("GET /bytes", nil)); !res.IsBase64Encoded || res.Body != "//4=" {
		t.Errorf("%+v", res)
	}
	if !strings.Contains(logs.String(), "private") {
		t.Error("the operator learns nothing")
	}
}

func TestRequireKeys_Table(t *testing.T) {
	t.Parallel()
	const route = "GET /v1/tenants/{tenant}"
	m := apigw.NewMux(slog.New(slog.DiscardHandler), apigw.RequireKeys(map[string]apigw.KeyHandler{route: func(_ context.Context, _ *apigw.Request, by authn.Caller) (*apigw.Response, error) {
		return apigw.JSON(200, map[string]string{"key": by.KeyID})
	}}))
	key := func(t tenant.ID, permissions ...string) map[string]any {
		return apigw.KeyContext(authn.Key{Kind: authn.APIKey, ID: "k", Tenant: t, Permissions: permissions})
	}
	session, err := apigw.SessionContext(authn.Session{ID: "s", Scope: tenant.Scope{Tenant: "acme", Principal: "u"}}, aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		context map[string]any
		status  int
	}{
		"all": {key(tenant.Deployment, "*"), 200}, "just this": {key(tenant.Deployment, "tenants:read"), 200}, "its tenant": {key("acme", "tenants:read"), 200}, "another tenant": {key("globex", "*"), 403}, "another permission": {key(tenant.Deployment, "tenants:write"), 403},
		"no permission": {key(tenant.Deployment), 403}, "nobody": {nil, 401}, "no owner": {key("", "*"), 401}, "a session": {session, 401},
		"a SCIM token": {apigw.KeyContext(authn.Key{Kind: authn.SCIMKey, ID: "k", Tenant: "acme", Permissions: []string{"*"}}), 401},
	} {
		if res, _ := m.Handle(t.Context(), event(route, c.context)); res.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", name, res.StatusCode, res.Body, c.status)
		}
	}
}

func TestSession_MissingOrForeignParts_AreRefused(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	valid := func() map[string]any {
		c, err := apigw.SessionContext(authn.Session{ID: "s", Scope: tenant.Scope{Tenant: "acme", Principal: "u"}, Agent: "x", Expires: now.Add(time.Minute)}, aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	read := func(c map[string]any, at time.Time) error {
		_, _, err := apigw.NewRequest(events.APIGatewayProxyRequest{RequestContext: events.APIGatewayProxyRequestContext{Authorizer: c}}).Session(at)
		return err
	}
	if err := read(valid(), now); err != nil {
		t.Fatal(err)
	}
	if err := read(valid(), now.Add(time.Minute)); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("an ended session: %v", err)
	}
	for k := range valid() {
		c := valid()
		delete(c, k)
		if err := read(c, now); err == nil {
			t.Errorf("accepted without %s", k)
		}
	}
	for k, v := range map[string]string{"tenant": "globex", "principal": "bob", "kind": "key", "session": "{"} {
		c := valid()
		c[k] = v
		if err := read(c, now); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("accepted with %s=%s: %v", k, v, err)
		}
	}
}

func TestRoutes_EachKeyRouteNamesAPermissionThatExists(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, p := range authn.Permissions() {
		known[p] = true
	}
	seen := map[string]bool{}
	for _, r := range apigw.Routes() {
		if (r.Auth == apigw.Key) != known[r.Permission] {
			t.Errorf("%s %s: auth %s, permission %q", r.Method, r.Path, r.Auth, r.Permission)
		}
		if seen[r.Method+r.Path] {
			t.Errorf("%s %s stands twice", r.Method, r.Path)
		}
		seen[r.Method+r.Path] = true
	}
}

func TestJSON_HalvesOfCharactersAndLookalikeNames_AreRefused(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		`{"name":"\ud83d\ude00"}`: true, `{"name":"\\ud800"}`: true, `{"name":"\\\\ud800"}`: true, `{"name":"\u00e9\n\"x"}`: true, `{"raw":{"ſ":"ſ","é":1}}`: true,
		`{"name":"\ud800"}`: false, `{"name":"\udc00\ud800"}`: false, `{"name":"\ud800\u0041"}`: false, `{"name":"a\\\ud800b"}`: false, `{"raw":{"a":["\uDFFF"]}}`: false,
		`{"\ud800":1}`: false, `{"liſt":[]}`: false, `{"list":[],"li\u017ft":[]}`: false,
	} {
		var b body
		if err := request(in).JSON(&b); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}
