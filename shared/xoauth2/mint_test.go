package xoauth2_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

const head = `id: plain
name: Plain
description: A provider that mints.
docs_url: https://plain.example/docs
hosts: {web: https://plain.example}
scopes: {known: {items: {description: Read items, effect: read}}}
api: {base: "{web}/api"}
`

const (
	ownClient = head + `fields: [{name: id, label: Id, required: true}, {name: key, label: Key, secret: true, required: true}]
auth: {mode: client_credentials, client_auth: AUTH, client_id: "{id}", client_secret: "{key}"}
token: {url: "{web}/token", format: FORMAT, params: {audience: api}}
expires: {mode: field}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`
	bearerJWT = head + `fields: [{name: mail, label: Mail, required: true}, {name: key, label: Key, kind: pem, secret: true, required: true}]
auth: {mode: jwt_bearer}
assertion: {alg: RS256, key: "{key}", kid: "k-{mail}", iss: "{mail}", sub: "{mail|upper}", aud: "https://plain.example/token", scope: "{scopes}", ttl_seconds: 600, claims: {fp: "{key.fingerprint}"}}
token: {url: "{web}/token"}
expires: {mode: field}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity: {capture: {account_id: mail}}
`
	appJWT = head + `fields: [{name: installation, label: Installation, required: true, pattern: '^[0-9]+$'}]
auth: {mode: app_jwt}
assertion: {alg: RS256, key: client, iss: "{client_id}", ttl_seconds: 540, backdate_seconds: 60}
token: {url: "{web}/app/installations/{installation}/access_tokens", map: {access_token: token, expires_in: expires_at}}
expires: {mode: field, format: rfc3339}
errors: {token: {dialect: custom, code: message}, api: {dialect: status}}
identity: {capture: {account_id: installation}}
`
	bareJWT = head + `fields: [{name: user, label: User, required: true}, {name: key, label: Key, kind: pem, secret: true, required: true}]
auth: {mode: jwt}
assertion: {alg: ES256, key: "{key}", iss: "{user}", ttl_seconds: 900}
errors: {api: {dialect: status}}
identity: {request: {method: POST, url: "{web}/me", body: {who: am i}}, map: {account_id: id}}
`
	signedClient = head + `auth: {mode: oauth2, client_auth: private_key_jwt, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
expires: {mode: field}
rotation: {class: strict}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`
)

// seen is what a provider got.
type seen struct {
	sync.Mutex
	path, media, auth string
	user, password    string
	body              []byte
	requests          int
}

func serve(t *testing.T, manifest string, status int, answer string) (*catalog.Connector, *seen) {
	t.Helper()
	got := &seen{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Lock()
		defer got.Unlock()
		got.requests++
		got.path, got.media, got.auth = r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Authorization")
		got.user, got.password, _ = r.BasicAuth()
		got.body, _ = io.ReadAll(r.Body) // a cut body shows as a missing field
		say(status, answer)(w)
	}))
	t.Cleanup(s.Close)
	c, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(manifest)}}, catalog.WithHosts(catalog.Hosts{"plain": {"web": s.URL}}))
	if err != nil {
		t.Fatal(err)
	}
	return c.Connectors()[0], got
}

func seed(t *testing.T, c *catalog.Connector, raw map[string]string) (secret.Text, map[string]string) {
	t.Helper()
	v, problems := c.ReadValues(raw)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	text, err := catalog.Seed{Values: v, Scopes: []string{"items"}}.Text()
	if err != nil {
		t.Fatal(err)
	}
	return text, c.Metadata(v)
}

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// claimsOf verifies a JWT and reads it.
func claimsOf(t *testing.T, text string, public crypto.PublicKey, alg jose.SignatureAlgorithm) (map[string]any, jose.Header) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	payload, err := jws.Verify(public)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(payload, &out); err != nil {
		t.Fatal(err)
	}
	return out, jws.Signatures[0].Header
}

const minted = `{"access_token":"at-minted-1","expires_in":600,"refresh_token":"never kept"}`

func TestMint_ClientCredentials_SendsTheConnectionsOwnClient(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"client_secret_basic", "client_secret_post"} {
		for _, format := range []string{"form", "json"} {
			c, got := serve(t, strings.NewReplacer("AUTH", auth, "FORMAT", format).Replace(ownClient), 200, minted)
			kept, meta := seed(t, c, map[string]string{"id": "cust+1", "key": "s/ecret-0123"})
			res, err := endpoint().Refresh(t.Context(), c, connection.Client{}, kept, meta)
			if err != nil || string(res.Access.Reveal(reveal.Key{})) != "at-minted-1" || !res.Refresh.IsZero() || time.Until(res.Facts.ExpiresAt) < 9*time.Minute {
				t.Fatalf("%s %s: %+v %v", auth, format, res, err)
			}
			fields := map[string]string{}
			if form, err := url.ParseQuery(string(got.body)); format == "form" && err == nil {
				for k := range form {
					fields[k] = form.Get(k)
				}
			} else if err := json.Unmarshal(got.body, &fields); err != nil {
				t.Fatalf("%s: %v", got.body, err)
			}
			if fields["grant_type"] != "client_credentials" || fields["scope"] != "items" || fields["audience"] != "api" {
				t.Errorf("%s %s: %s", auth, format, got.body)
			}
			inBody := fields["client_id"] == "cust+1" && fields["client_secret"] == "s/ecret-0123"
			inHeader := got.user == "cust%2B1" && got.password == "s%2Fecret-0123"
			if inBody != (auth == "client_secret_post") || inHeader == inBody {
				t.Errorf("%s %s: body %s, user %s", auth, format, got.body, got.user)
			}
		}
	}
}

func TestMint_JWTBearer_SignsWhatTheManifestSays(t *testing.T) {
	t.Parallel()
	key := rsaKey(t)
	c, got := serve(t, bearerJWT, 200, minted)
	kept, meta := seed(t, c, map[string]string{"mail": "a@b.example", "key": pemOf(t, key)})
	if _, err := endpoint().Refresh(t.Context(), c, connection.Client{}, kept, meta); err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(string(got.body))
	if err != nil || form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(form) != 2 {
		t.Fatalf("%s", got.body)
	}
	cl, h := claimsOf(t, form.Get("assertion"), &key.PublicKey, jose.RS256)
	if cl["iss"] != "a@b.example" || cl["sub"] != "A@B.EXAMPLE" || cl["aud"] != "https://plain.example/token" || cl["scope"] != "items" || h.KeyID != "k-a@b.example" ||
		cl["exp"].(float64)-cl["iat"].(float64) != 600 || len(cl["fp"].(string)) != 44 {
		t.Errorf("%v %v", cl, h)
	}
}

func TestMint_AppJWT_TradesTheClientsSignatureForAToken(t *testing.T) {
	t.Parallel()
	key := rsaKey(t)
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	c, got := serve(t, appJWT, 201, `{"token":"ghs_0123456789","expires_at":"`+at.Format(time.RFC3339)+`"}`)
	kept, meta := seed(t, c, map[string]string{"installation": "4711"})
	app := connection.Client{ID: "Iv23app", PrivateKey: secret.FromString(pemOf(t, key))}
	res, err := endpoint().Refresh(t.Context(), c, app, kept, meta)
	if err != nil || string(res.Access.Reveal(reveal.Key{})) != "ghs_0123456789" || !res.Facts.ExpiresAt.Equal(at) {
		t.Fatalf("%+v %v", res, err)
	}
	cl, _ := claimsOf(t, strings.TrimPrefix(got.auth, "Bearer "), &key.PublicKey, jose.RS256)
	if got.path != "/app/installations/4711/access_tokens" || cl["iss"] != "Iv23app" || cl["exp"].(float64)-cl["iat"].(float64) != 600 {
		t.Errorf("%s %v", got.path, cl)
	}
	if !c.UsesClient() || !c.SignsAsClient() {
		t.Error("no client is asked for")
	}
}

func TestMint_SignedToken_IsProvedBeforeItCounts(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for status, kind := range map[int]catalog.OutcomeKind{200: "", 401: catalog.OutcomeDead, 503: catalog.OutcomeTransient, 403: catalog.OutcomeError} {
		c, got := serve(t, bareJWT, status, `{"id":"u1"}`)
		kept, meta := seed(t, c, map[string]string{"user": "jane", "key": pemOf(t, key)})
		res, err := endpoint().Refresh(t.Context(), c, connection.Client{}, kept, meta)
		var e *refresh.EndpointError
		if kind == "" {
			text := string(res.Access.Reveal(reveal.Key{}))
			cl, _ := claimsOf(t, text, &key.PublicKey, jose.ES256)
			if err != nil || cl["iss"] != "jane" || got.auth != "Bearer "+text || string(got.body) != `{"who":"am i"}` || time.Until(res.Facts.ExpiresAt) < 14*time.Minute {
				t.Errorf("%v %v %s %s", err, cl, got.auth, got.body)
			}
		} else if !errors.As(err, &e) || e.Outcome.Kind != kind || !res.Access.IsZero() {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestMint_Failures_AreJudgedAndNameNoSecret(t *testing.T) {
	t.Parallel()
	key := pemOf(t, rsaKey(t))
	for name, tc := range map[string]struct {
		status int
		body   string
		kind   catalog.OutcomeKind
	}{
		"withdrawn": {400, `{"error":"invalid_grant","x":"` + marker + `"}`, catalog.OutcomeDead}, "down": {503, marker, catalog.OutcomeTransient},
		"no token": {200, `{"x":"` + marker + `"}`, catalog.OutcomeError}, "page": {200, "<html>" + marker, catalog.OutcomeOK},
	} {
		c, got := serve(t, bearerJWT, tc.status, tc.body)
		kept, meta := seed(t, c, map[string]string{"mail": "a@b.example", "key": key})
		_, err := endpoint().Refresh(t.Context(), c, connection.Client{}, kept, meta)
		var e *refresh.EndpointError
		if !errors.As(err, &e) || !e.Sent || got.requests != 1 || e.Outcome.Kind != tc.kind && name != "page" {
			t.Errorf("%s: %#v after %d requests", name, e, got.requests)
		}
		if err == nil || strings.Contains(err.Error(), marker) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, got := serve(t, bearerJWT, 200, minted)
	_, err := endpoint().Refresh(t.Context(), c, connection.Client{}, secret.FromString(`{"fields":{"mail":"a@b.example","key":"no key"}}`), nil)
	var e *refresh.EndpointError
	if !errors.As(err, &e) || e.Outcome.Kind != catalog.OutcomeDead || e.Sent || got.requests != 0 {
		t.Errorf("unusable key: %#v", err)
	}
}

func TestRefresh_PrivateKeyJWT_SignsInsteadOfASecret(t *testing.T) {
	t.Parallel()
	key := rsaKey(t)
	c, got := serve(t, signedClient, 200, `{"access_token":"at-1","refresh_token":"rt-2","expires_in":60}`)
	who := connection.Client{ID: "client-1", PrivateKey: secret.FromString(pemOf(t, key))}
	ids := map[any]bool{}
	for range 2 {
		if _, err := endpoint().Refresh(t.Context(), c, who, secret.FromString("rt-1"), nil); err != nil {
			t.Fatal(err)
		}
		form, err := url.ParseQuery(string(got.body))
		if err != nil || form.Get("client_id") != "client-1" || form.Has("client_secret") || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Get("refresh_token") != "rt-1" {
			t.Fatalf("%s", got.body)
		}
		cl, _ := claimsOf(t, form.Get("client_assertion"), &key.PublicKey, jose.RS256)
		if cl["iss"] != "client-1" || cl["sub"] != "client-1" || !strings.HasSuffix(cl["aud"].(string), "/token") {
			t.Errorf("%v", cl)
		}
		ids[cl["jti"]] = true
	}
	if len(ids) != 2 {
		t.Error("an assertion was used twice")
	}
	if _, err := endpoint().Exchange(t.Context(), c, who, redemption); err != nil || !strings.Contains(string(got.body), "client_assertion=") {
		t.Errorf("%v %s", err, got.body)
	}
}

func TestRefresh_PrivateKeyJWT_ClaimsAreTheManifests(t *testing.T) {
	t.Parallel()
	key := rsaKey(t)
	m := strings.Replace(signedClient, "pkce: use}", `pkce: use, client_assertion: {iss: "{connection.site}", aud: "https://plain.example", kid: "k-{client_id}", ttl_seconds: 60}}
fields: [{name: site, label: Site, required: true}]`, 1)
	c, got := serve(t, m, 200, `{"access_token":"at-1","refresh_token":"rt-2","expires_in":60}`)
	who := connection.Client{ID: "client-1", PrivateKey: secret.FromString(pemOf(t, key))}
	if _, err := endpoint().Refresh(t.Context(), c, who, secret.FromString("rt-1"), map[string]string{"site": "acme"}); err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(string(got.body))
	if err != nil {
		t.Fatal(err)
	}
	cl, h := claimsOf(t, form.Get("client_assertion"), &key.PublicKey, jose.RS256)
	if cl["iss"] != "acme" || cl["sub"] != "client-1" || cl["aud"] != "https://plain.example" || h.KeyID != "k-client-1" || cl["exp"].(float64)-cl["iat"].(float64) != 60 {
		t.Errorf("%v %v", cl, h)
	}
	requests := got.requests
	if _, err := endpoint().Refresh(t.Context(), c, who, secret.FromString("rt-1"), nil); err == nil || got.requests != requests {
		t.Errorf("%v: asked without the claim's value", err)
	}
}
