package authn_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/authn/idptest"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// idp is an issuer, the verifier that trusts it for acme, and the verifier's clock.
type idp struct {
	*idptest.Provider
	key    idptest.Key
	now    time.Time
	verify *authn.Issuers
	set    authn.Issuer
}

func newIDP(t *testing.T, key idptest.Key) *idp {
	t.Helper()
	p := &idp{Provider: idptest.New(t, key), key: key, now: t0}
	p.verify = authn.NewIssuers(egress.New(egress.Options{AllowPrivate: true}).HTTP(), true, func() time.Time { return p.now })
	var err error
	if p.set, err = p.verify.Resolve(t.Context(), "acme", authn.Issuer{Issuer: p.URL, Audience: "app"}); err != nil {
		t.Fatal(err)
	}
	return p
}

// claims are those of a good token, with changes; nil removes one.
func (p *idp) claims(change idptest.Claims) idptest.Claims {
	c := idptest.Claims{"iss": p.URL, "aud": "app", "sub": "user_alice", "iat": p.now.Unix(), "exp": p.now.Add(5 * time.Minute).Unix()}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (p *idp) check(t *testing.T, kind, token string) (tenant.Principal, error) {
	t.Helper()
	return p.verify.Verify(t.Context(), "acme", p.set, authn.Assertion{Token: secret.FromString(token), Type: kind})
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	s, _ := fault.From(err).Detail["reason"].(string)
	return s
}

func TestVerify_EachAlgorithm_NamesThePrincipal(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]idptest.Key{"RS256": idptest.RSA(t, "1", jose.RS256, 2048), "PS256": idptest.RSA(t, "1", jose.PS256, 2048), "ES256": idptest.EC(t, "1")} {
		p := newIDP(t, key)
		for what, x := range map[string]struct {
			kind, token string
		}{
			"id token":            {authn.TypeIDToken, key.Sign(t, p.claims(nil), map[string]any{"typ": "JWT"})},
			"access token":        {authn.TypeAccessToken, key.Sign(t, p.claims(idptest.Claims{"aud": []string{"other", "app"}}), map[string]any{"typ": "at+jwt"})},
			"jwt":                 {authn.TypeJWT, key.Sign(t, p.claims(nil), nil)},
			"no type":             {"", key.Sign(t, p.claims(nil), nil)},
			"several, authorized": {authn.TypeIDToken, key.Sign(t, p.claims(idptest.Claims{"aud": []string{"other", "app"}, "azp": "app"}), nil)},
			"fractions":           {"", key.Sign(t, p.claims(idptest.Claims{"iat": float64(t0.Unix()) + 0.5}), nil)},
			"clocks apart":        {"", key.Sign(t, p.claims(idptest.Claims{"iat": t0.Unix() + 50, "nbf": t0.Unix() + 50}), nil)},
		} {
			if who, err := p.check(t, x.kind, x.token); err != nil || who != "user_alice" {
				t.Errorf("%s, %s: %q, %v", name, what, who, err)
			}
		}
		if p.Fetches() != 1 {
			t.Errorf("%s: the keys were read %d times", name, p.Fetches())
		}
	}
}

// unsecured is a token with this header and no valid signature.
func unsecured(t *testing.T, c, header map[string]any, signature string) string {
	t.Helper()
	parts := make([]string, 2)
	for i, v := range []any{header, c} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(b)
	}
	return strings.Join(parts, ".") + "." + signature
}

func TestVerify_EachForgery_IsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	key, stranger := idptest.RSA(t, "1", jose.RS256, 2048), idptest.RSA(t, "1", jose.RS256, 2048)
	p := newIDP(t, key)
	type c = idptest.Claims
	sign := func(change c) string { return key.Sign(t, p.claims(change), nil) }
	der, err := x509.MarshalPKIXPublicKey(key.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	hmac := idptest.Sign(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: der, KeyID: "1"}}, p.claims(nil), nil)
	good := sign(nil)
	parts := strings.Split(good, ".")
	swapped := unsecured(t, p.claims(c{"sub": "user_bob"}), map[string]any{"alg": "RS256", "kid": "1"}, parts[2])
	other := key
	other.ID = "unpublished"
	pss := key
	pss.Algorithm = jose.PS256
	cases := map[string]struct{ kind, token, reason string }{
		"wrong iss":              {"", sign(c{"iss": "https://evil.example"}), "wrong_issuer"},
		"iss with a slash":       {"", sign(c{"iss": p.URL + "/"}), "wrong_issuer"},
		"no iss":                 {"", sign(c{"iss": nil}), "wrong_issuer"},
		"wrong aud":              {"", sign(c{"aud": "application"}), "wrong_audience"},
		"aud by case":            {"", sign(c{"aud": "APP"}), "wrong_audience"},
		"no aud":                 {"", sign(c{"aud": nil}), "wrong_audience"},
		"AUD beside aud":         {"", sign(c{"aud": "other", "AUD": "app"}), "wrong_audience"},
		"several aud, no azp":    {authn.TypeIDToken, sign(c{"aud": []string{"app", "other"}}), "wrong_audience"},
		"several aud, other azp": {authn.TypeIDToken, sign(c{"aud": []string{"app", "other"}, "azp": "other"}), "wrong_audience"},
		"expired":                {"", sign(c{"exp": t0.Add(-2 * time.Minute).Unix()}), "expired"},
		"no exp":                 {"", sign(c{"exp": nil}), "no_time"},
		"no iat":                 {"", sign(c{"iat": nil}), "no_time"},
		"not yet":                {"", sign(c{"nbf": t0.Add(2 * time.Minute).Unix()}), "not_yet_valid"},
		"nbf beyond dates":       {"", sign(c{"nbf": 1e300}), "not_yet_valid"},
		"issued in the future":   {"", sign(c{"iat": t0.Add(2 * time.Minute).Unix()}), "not_yet_valid"},
		"too old":                {"", sign(c{"iat": t0.Add(-2 * time.Hour).Unix()}), "too_old"},
		"exp as text":            {"", sign(c{"exp": "tomorrow"}), "malformed"},
		"no sub":                 {"", sign(c{"sub": nil}), "no_principal"},
		"sub as number":          {"", sign(c{"sub": 7}), "no_principal"},
		"the tenant itself":      {"", sign(c{"sub": "_org"}), "no_principal"},
		"reserved":               {"", sign(c{"sub": "_deployment"}), "no_principal"},
		"control character":      {"", sign(c{"sub": "a\x00b"}), "no_principal"},
		"logout token":           {"", sign(c{"events": c{"http://schemas.openid.net/event/backchannel-logout": c{}}}), "wrong_type"},
		"logout token by typ":    {"", key.Sign(t, p.claims(nil), map[string]any{"typ": "logout+jwt"}), "wrong_type"},
		"our own session":        {"", key.Sign(t, p.claims(nil), map[string]any{"typ": "behalf-session+jwt"}), "wrong_type"},
		"access as ID token":     {authn.TypeIDToken, key.Sign(t, p.claims(nil), map[string]any{"typ": "at+jwt"}), "wrong_type"},
		"stranger's key":         {"", stranger.Sign(t, p.claims(nil), nil), "bad_signature"},
		"other claims":           {"", swapped, "bad_signature"},
		"unknown kid":            {"", other.Sign(t, p.claims(nil), nil), "unknown_key"},
		"alg the key is not for": {"", pss.Sign(t, p.claims(nil), nil), "unknown_key"},
		"HS256 by public key":    {"", hmac, "malformed"},
		"alg none":               {"", unsecured(t, p.claims(nil), map[string]any{"alg": "none"}, ""), "malformed"},
		"alg None":               {"", unsecured(t, p.claims(nil), map[string]any{"alg": "None", "kid": "1"}, parts[2]), "malformed"},
		"RS512":                  {"", idptest.Sign(t, jose.SigningKey{Algorithm: jose.RS512, Key: jose.JSONWebKey{Key: key.Private, KeyID: "1"}}, p.claims(nil), nil), "malformed"},
		"no signature":           {"", parts[0] + "." + parts[1] + ".", "bad_signature"},
		"garbage":                {"", "a.b.c", "malformed"},
		"empty":                  {"", "", "malformed"},
		"oversize":               {"", sign(c{"pad": strings.Repeat("x", 17<<10)}), "malformed"},
	}
	for name, x := range cases {
		who, err := p.check(t, x.kind, x.token)
		if !fault.Is(err, fault.InvalidInput) || reason(err) != x.reason || who != "" {
			t.Errorf("%s: %q, reason %q, %v; want %s", name, who, reason(err), err, x.reason)
		}
		if err != nil && x.token != "" && strings.Contains(err.Error(), parts[1]) {
			t.Errorf("%s: the error holds the token", name)
		}
	}
	if _, err := p.check(t, "urn:ietf:params:oauth:token-type:saml2", good); !fault.Is(err, fault.InvalidInput) || fault.From(err).Field != "/subject_token_type" {
		t.Errorf("an unknown type: %v", err)
	}
	if who, err := p.check(t, "", good); who != "user_alice" || err != nil {
		t.Errorf("the good one: %q, %v", who, err)
	}
}

// A key in the token's own header is the forger's.
func TestVerify_KeysInTheToken_AreNotUsed(t *testing.T) {
	t.Parallel()
	p, forger := newIDP(t, idptest.EC(t, "1")), idptest.EC(t, "1")
	hosted := idptest.New(t, forger)
	for name, header := range map[string]map[string]any{"jwk": {"jwk": forger.JWK()}, "jku": {"jku": hosted.URL + "/keys"}} {
		if who, err := p.check(t, "", forger.Sign(t, p.claims(nil), header)); reason(err) != "bad_signature" {
			t.Errorf("%s: %q, %v", name, who, err)
		}
	}
	if hosted.Fetches() != 0 {
		t.Error("a URL out of a token was read")
	}
}

func TestVerify_PrincipalClaim_Decides(t *testing.T) {
	t.Parallel()
	key := idptest.EC(t, "1")
	p := newIDP(t, key)
	for name, x := range map[string]struct {
		claim  string
		token  idptest.Claims
		want   tenant.Principal
		reason string
	}{
		"oid":                  {"oid", idptest.Claims{"oid": "o-1"}, "o-1", ""},
		"a URL":                {"https://acme.example/user", idptest.Claims{"https://acme.example/user": "u"}, "u", ""},
		"missing":              {"oid", nil, "", "no_principal"},
		"by case":              {"oid", idptest.Claims{"OID": "o-1"}, "", "no_principal"},
		"verified e-mail":      {"email", idptest.Claims{"email": "a@x.example", "email_verified": true}, "a@x.example", ""},
		"unverified e-mail":    {"email", idptest.Claims{"email": "a@x.example", "email_verified": false}, "", "email_not_verified"},
		"e-mail, nothing said": {"email", idptest.Claims{"email": "a@x.example"}, "", "email_not_verified"},
		"e-mail, said as text": {"email", idptest.Claims{"email": "a@x.example", "email_verified": "true"}, "", "email_not_verified"},
	} {
		p.set.PrincipalClaim = x.claim
		if who, err := p.check(t, "", key.Sign(t, p.claims(x.token), nil)); who != x.want || reason(err) != x.reason {
			t.Errorf("%s: %q, %v", name, who, err)
		}
	}
}
