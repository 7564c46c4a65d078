package authn_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/authn/idptest"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

func TestResolve_ReadsDiscovery_AndFillsIn(t *testing.T) {
	t.Parallel()
	p := newIDP(t, idptest.EC(t, "1"))
	if p.set.JWKSURI != p.URL+"/keys" || p.set.PrincipalClaim != "sub" {
		t.Errorf("%+v", p.set)
	}
	p.Discovery(idptest.Claims{"jwks_uri": nil, "issuer": "other"})
	got, err := p.verify.Resolve(t.Context(), "acme", authn.Issuer{Issuer: p.URL, Audience: "app", PrincipalClaim: "oid", JWKSURI: p.URL + "/keys"})
	if err != nil || got.PrincipalClaim != "oid" {
		t.Errorf("with jwks_uri no discovery is needed: %+v, %v", got, err)
	}
}

func TestResolve_EachMistake_NamesItsField(t *testing.T) {
	t.Parallel()
	weak := idptest.RSA(t, "weak", jose.RS256, 1024)
	type setting = authn.Issuer
	for name, x := range map[string]struct {
		prepare func(p *idptest.Provider)
		change  func(s *setting)
		field   string
		code    fault.Code
	}{
		"no issuer":           {nil, func(s *setting) { s.Issuer = "" }, "/issuer", fault.InvalidInput},
		"no https":            {nil, func(s *setting) { s.Issuer = "http://idp.example" }, "/issuer", fault.InvalidInput},
		"a file":              {nil, func(s *setting) { s.Issuer = "file:///etc/passwd" }, "/issuer", fault.InvalidInput},
		"credentials":         {nil, func(s *setting) { s.Issuer = "https://u:p@idp.example" }, "/issuer", fault.InvalidInput},
		"a query":             {nil, func(s *setting) { s.Issuer += "?x=1" }, "/issuer", fault.InvalidInput},
		"a fragment":          {nil, func(s *setting) { s.Issuer += "#x" }, "/issuer", fault.InvalidInput},
		"no audience":         {nil, func(s *setting) { s.Audience = "" }, "/audience", fault.InvalidInput},
		"odd claim":           {nil, func(s *setting) { s.PrincipalClaim = "a b" }, "/principal_claim", fault.InvalidInput},
		"plain jwks_uri":      {nil, func(s *setting) { s.JWKSURI = "http://keys.example/" }, "/jwks_uri", fault.InvalidInput},
		"keys elsewhere":      {nil, func(s *setting) { s.JWKSURI = s.Issuer + "/nothing" }, "/jwks_uri", fault.InvalidInput},
		"another issuer":      {func(p *idptest.Provider) { p.Discovery(idptest.Claims{"issuer": p.URL + "/"}) }, nil, "/issuer", fault.InvalidInput},
		"no jwks_uri":         {func(p *idptest.Provider) { p.Discovery(idptest.Claims{"jwks_uri": nil}) }, nil, "/issuer", fault.InvalidInput},
		"discovers plain":     {func(p *idptest.Provider) { p.Discovery(idptest.Claims{"jwks_uri": "http://keys.example/"}) }, nil, "/issuer", fault.InvalidInput},
		"no document":         {func(p *idptest.Provider) { p.Answer(404) }, nil, "/issuer", fault.InvalidInput},
		"a redirect":          {func(p *idptest.Provider) { p.Answer(302) }, nil, "/issuer", fault.InvalidInput},
		"down":                {func(p *idptest.Provider) { p.Answer(503) }, nil, "/issuer", fault.ProviderError},
		"no keys":             {func(p *idptest.Provider) { p.Publish() }, nil, "/issuer", fault.InvalidInput},
		"a weak key":          {func(p *idptest.Provider) { p.Publish(weak) }, nil, "/issuer", fault.InvalidInput},
		"a symmetric key":     {func(p *idptest.Provider) { p.PublishRaw(idptest.Claims{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}) }, nil, "/issuer", fault.InvalidInput},
		"an encryption key":   {func(p *idptest.Provider) { k := idptest.EC(t, "1").JWK(); k.Use = "enc"; p.PublishRaw(k) }, nil, "/issuer", fault.InvalidInput},
		"a private key alone": {func(p *idptest.Provider) { p.PublishRaw(jose.JSONWebKey{Key: weak.Private, KeyID: "1"}) }, nil, "/issuer", fault.InvalidInput},
		"an endless document": {func(p *idptest.Provider) { p.Discovery(idptest.Claims{"pad": strings.Repeat("x", 300<<10)}) }, nil, "/issuer", fault.InvalidInput},
	} {
		p := idptest.New(t, idptest.EC(t, "1"))
		if x.prepare != nil {
			x.prepare(p)
		}
		s := setting{Issuer: p.URL, Audience: "app"}
		if x.change != nil {
			x.change(&s)
		}
		v := authn.NewIssuers(egress.New(egress.Options{AllowPrivate: true}).HTTP(), true, func() time.Time { return t0 })
		_, err := v.Resolve(t.Context(), "acme", s)
		if !fault.Is(err, x.code) || fault.From(err).Field != x.field || fault.From(err).Retryable() != (x.code == fault.ProviderError) {
			t.Errorf("%s: %v, retryable %v", name, err, err != nil && fault.From(err).Retryable())
		}
	}
}

// In production nothing but https is called, and nothing inside.
func TestResolve_InProduction_CallsNothingInside(t *testing.T) {
	t.Parallel()
	p := idptest.New(t, idptest.EC(t, "1"))
	v := authn.NewIssuers(egress.New(egress.Options{}).HTTP(), false, func() time.Time { return t0 })
	for _, issuer := range []string{p.URL, strings.Replace(p.URL, "http:", "https:", 1), "https://127.0.0.1:9001", "https://[::1]", "https://169.254.169.254"} {
		if _, err := v.Resolve(t.Context(), "acme", authn.Issuer{Issuer: issuer, Audience: "app"}); !fault.Is(err, fault.InvalidInput) || fault.From(err).Field != "/issuer" {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	if p.Fetches() != 0 {
		t.Error("the issuer was called")
	}
}

func TestVerify_IssuerRotatesItsKey_NewOneCountsAtOnceOldOneSoonNot(t *testing.T) {
	t.Parallel()
	old, next := idptest.EC(t, "old"), idptest.RSA(t, "next", jose.RS256, 2048)
	p := newIDP(t, old)
	p.now = t0.Add(time.Minute)
	p.Publish(next)
	if who, err := p.check(t, "", old.Sign(t, p.claims(nil), nil)); err != nil {
		t.Errorf("the old key, still kept: %q, %v", who, err)
	}
	if who, err := p.check(t, "", next.Sign(t, p.claims(nil), nil)); who != "user_alice" || err != nil {
		t.Errorf("the new key: %q, %v", who, err)
	}
	if _, err := p.check(t, "", old.Sign(t, p.claims(nil), nil)); reason(err) != "unknown_key" {
		t.Errorf("the old key, gone: %v", err)
	}
}

// However many tokens name keys that do not exist, the issuer is asked twice a minute.
func TestVerify_UnknownKeys_AskTheIssuerSeldom(t *testing.T) {
	t.Parallel()
	p := newIDP(t, idptest.EC(t, "1"))
	start, stranger := p.Fetches(), idptest.EC(t, "x")
	for range 60 {
		p.now = p.now.Add(time.Second)
		if _, err := p.check(t, "", stranger.Sign(t, p.claims(nil), nil)); reason(err) != "unknown_key" {
			t.Fatal(err)
		}
	}
	if n := p.Fetches() - start; n != 2 {
		t.Errorf("%d requests in a minute, want 2", n)
	}
	if _, err := p.check(t, "", stranger.Sign(t, p.claims(nil), nil)); !fault.From(err).Retryable() {
		t.Error("a key that may have appeared since is not worth a retry")
	}
}

func TestVerify_IssuerDown_KeptKeysCountThenItIsRetryable(t *testing.T) {
	t.Parallel()
	key := idptest.EC(t, "1")
	p := newIDP(t, key)
	p.Answer(http.StatusServiceUnavailable)
	p.now = t0.Add(9 * time.Minute)
	if _, err := p.check(t, "", key.Sign(t, p.claims(nil), nil)); err != nil {
		t.Errorf("kept keys: %v", err)
	}
	p.now = t0.Add(11 * time.Minute)
	start := p.Fetches()
	for range 5 {
		_, err := p.check(t, "", key.Sign(t, p.claims(nil), nil))
		if !fault.Is(err, fault.ProviderError) || reason(err) != "issuer_unavailable" || !fault.From(err).Retryable() {
			t.Errorf("old keys: %v", err)
		}
	}
	if n := p.Fetches() - start; n != 1 {
		t.Errorf("an issuer that is down was asked %d times at once", n)
	}
	p.Answer(http.StatusOK)
	p.now = p.now.Add(6 * time.Second)
	if _, err := p.check(t, "", key.Sign(t, p.claims(nil), nil)); err != nil {
		t.Errorf("up again: %v", err)
	}
}

func TestVerify_ManyAtOnce_KeysAreReadOnce(t *testing.T) {
	t.Parallel()
	key := idptest.EC(t, "1")
	p := newIDP(t, key)
	p.now = t0.Add(time.Hour)
	token, start := key.Sign(t, p.claims(nil), nil), p.Fetches()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := p.verify.Verify(t.Context(), "acme", p.set, authn.Assertion{Token: secret.FromString(token)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := p.Fetches() - start; n < 1 || n > 3 { // one flight, or another begun just as it landed
		t.Errorf("%d requests", n)
	}
	before := p.Fetches()
	if _, err := p.verify.Verify(t.Context(), "globex", p.set, authn.Assertion{Token: secret.FromString(token)}); err != nil || p.Fetches() != before+1 {
		t.Errorf("another tenant shares the keys: %v", err)
	}
}
