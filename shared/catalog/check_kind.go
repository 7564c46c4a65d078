package catalog

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// checkKind checks what belongs to one mode and must be absent from the others.
func checkKind(s *source, m *manifest) {
	mode := m.Auth.Mode
	oneOf(s, "auth.mode", string(mode), authModes...)
	stated(s, "authorize", mode == ModeOAuth2, m.Authorize.URL != "" || m.Authorize.Issuer != "" || m.Authorize.Params != nil, "only mode oauth2 has a consent page")
	stated(s, "token", mode.Asks(), m.Token.URL != "", "modes jwt, api_key, basic and bearer ask no token endpoint")
	stated(s, "errors.token", mode.Asks(), m.Errors.Token.Dialect != "", "modes jwt, api_key, basic and bearer ask no token endpoint")
	stated(s, "credential", mode.Static(), m.Credential != nil, "it is for modes api_key, basic and bearer")
	stated(s, "assertion", mode.signs(), m.Assertion != nil, "it is for modes jwt_bearer, jwt and app_jwt")
	checkClient(s, m)
	checkProof(s, m)
	checkFields(s, m)
	if m.Credential != nil {
		checkText(s, m, "credential.value", m.Credential.Value)
		if m.Credential.Encode != "" || mode == ModeBasic {
			oneOf(s, "credential.encode", m.Credential.Encode, encodeBase64)
		}
	}
	if m.Assertion != nil {
		checkAssertion(s, m, m.Assertion)
	}
	if mode.Static() && (m.Identity == nil || m.Identity.Request == nil || m.Identity.Map["account_id"] == "") {
		s.add("identity", "a pasted credential is proved by identity.request; account_id must be in identity.map")
	}
	if mode == ModeJWT && (m.Identity == nil || m.Identity.Request == nil) {
		s.add("identity", "a signed token is proved by identity.request")
	}
	checkLife(s, m)
}

// stated reports a part that the mode needs and that is missing, or that it has no use for.
func stated(s *source, field string, needed, there bool, why string) {
	switch {
	case needed && !there:
		s.add(field, "is missing")
	case !needed && there:
		s.add(field, "%s", why)
	}
}

func checkClient(s *source, m *manifest) {
	a := m.Auth
	methods := []string{"client_secret_basic", "client_secret_post", "none", "private_key_jwt", "client_secret_as_username", "tls_client_auth"}
	switch {
	case a.Mode == ModeClientCredentials:
		methods = []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_as_username", "tls_client_auth"}
	case a.Mode != ModeOAuth2:
		methods = []string{"none"}
	}
	oneOf(s, "auth.client_auth", string(a.ClientAuth), methods...)
	if a.Mode == ModeOAuth2 {
		oneOf(s, "auth.pkce", string(a.PKCE), "required", "use", "never")
	} else if a.PKCE != PKCENever {
		s.add("auth.pkce", "only mode oauth2 has it")
	}
	if a.Mode == ModeOAuth2 && a.ClientAuth == ClientAuthNone && a.PKCE == PKCENever {
		s.add("auth.pkce", "a client without secret must use PKCE")
	}
	if a.ClientID == "" && a.ClientSecret == "" {
		return
	}
	if a.Mode != ModeClientCredentials || a.ClientID == "" || a.ClientSecret == "" || a.ClientAuth == ClientAuthPrivateKey {
		s.add("auth.client_id", "client_id and client_secret are for client_credentials with a secret, and need each other")
	}
	checkText(s, m, "auth.client_id", a.ClientID)
	checkText(s, m, "auth.client_secret", a.ClientSecret)
}

// checkProof checks what a client proves itself with beside a secret.
func checkProof(s *source, m *manifest) {
	a := m.Auth
	for _, where := range a.MTLS {
		oneOf(s, "auth.mtls", where, mtlsToken, mtlsAPI)
	}
	if (a.ClientAuth == ClientAuthTLS) && !slices.Contains(a.MTLS, mtlsToken) {
		s.add("auth.mtls", "client_auth tls_client_auth needs the certificate at the token endpoint: mtls: [token]")
	}
	if len(a.MTLS) > 0 && (a.Mode != ModeOAuth2 && a.Mode != ModeClientCredentials || a.ClientID != "" || a.ClientAuth == ClientAuthPrivateKey) {
		s.add("auth.mtls", "the certificate is the registered client's: for oauth2 and client_credentials, beside a secret or alone")
	}
	if a.ClientAssertion == nil {
		return
	}
	if a.ClientAuth != ClientAuthPrivateKey {
		s.add("auth.client_assertion", "is for client_auth private_key_jwt")
	}
	if t := a.ClientAssertion.TTLSeconds; t != 0 && (t < 30 || t > 3600) {
		s.add("auth.client_assertion.ttl_seconds", "want 30 to 3600")
	}
	for name, tmpl := range a.ClientAssertion.texts() {
		checkRefs(s, m, "auth.client_assertion."+name, tmpl, refsAllowed{callback: true}, refClientID, refTokenURL)
	}
}

const (
	mtlsToken = "token"
	mtlsAPI   = "api"
)

// checkFields checks what people are asked for.
func checkFields(s *source, m *manifest) {
	seen := map[string]bool{"token": true, "scopes": true, RedirectURIKept: true, "client_id": m.Auth.Mode != ModeClientCredentials}
	for i, f := range m.Fields {
		at := fmt.Sprintf("fields[%d]", i)
		if !plainName.MatchString(f.Name) || len(f.Name) > 40 || seen[f.Name] {
			s.add(at+".name", "%q: want a-z, 0-9 and '_', at most 40, each name once", f.Name)
		}
		seen[f.Name] = true
		if f.Label == "" {
			s.add(at+".label", "is missing; the connect page shows it")
		}
		oneOf(s, at+".kind", string(f.Kind), string(FieldText), string(FieldPEM), string(FieldJSON))
		if f.MaxLength < 0 || f.MaxLength > maxField {
			s.add(at+".max_length", "want 1 to %d", maxField)
		}
		if f.Pattern != "" && (!strings.HasPrefix(f.Pattern, "^") || !strings.HasSuffix(f.Pattern, "$")) {
			s.add(at+".pattern", "%q: want ^…$, so that it speaks of the whole value", f.Pattern)
		}
		if _, err := regexp.Compile(f.Pattern); err != nil {
			s.add(at+".pattern", "%v", err)
		}
		if f.Secret && m.Auth.Mode == ModeOAuth2 {
			s.add(at+".secret", "mode oauth2 asks nobody for a secret")
		}
		if f.Kind != FieldText && !f.Secret {
			s.add(at+".secret", "a private key or credential file is secret")
		}
		if f.Secret && f.Example != "" && f.pattern() == nil {
			s.add(at+".example", "an example of a secret needs a pattern; it shows only how one begins")
		}
		if f.Vouched && (f.Secret || !f.Required) {
			s.add(at+".vouched", "such a field is required and not secret: it is in the params of each link")
		}
		checkCapture(s, m, at, f)
	}
}

func (f fieldSpec) pattern() *regexp.Regexp {
	if f.Pattern == "" {
		return nil
	}
	p, _ := regexp.Compile(f.Pattern) // reported by its own check
	return p
}

// checkCapture keeps what is taken out of a secret document from being the secret.
func checkCapture(s *source, m *manifest, at string, f fieldSpec) {
	if len(f.Capture) > 0 && f.Kind != FieldJSON {
		s.add(at+".capture", "is for kind json")
	}
	for name, p := range f.Capture {
		_, clash := m.field(name)
		if !plainName.MatchString(name) || clash || m.captured(name) {
			s.add(at+".capture", "%q: want a-z, 0-9 and '_', and no name that is taken", name)
		}
		checkPath(s, at+".capture."+name, p, false)
		if m.Assertion != nil && strings.Contains(m.Assertion.Key, "{"+f.Name+"."+p+"}") {
			s.add(at+".capture."+name, "is the private key; metadata is not secret")
		}
	}
}

// checkText checks a template over the fields. more are names that it may use besides.
func checkText(s *source, m *manifest, field, tmpl string, more ...string) {
	t, err := parseText(tmpl)
	if err != nil || tmpl == "" {
		s.add(field, "want text with {field} in it: %v", err)
		return
	}
	for _, name := range t.names() {
		if slices.Contains(more, name) {
			continue
		}
		base, _, nested := strings.Cut(name, ".")
		f, ok := m.field(base)
		switch {
		case !ok:
			s.add(field, "{%s} is not a field; known are %s", name, strings.Join(append(fieldNames(m), more...), ", "))
		case nested != (f.Kind == FieldJSON):
			s.add(field, "{%s}: a field of kind json is used by its members, {name.member}, and no other is", name)
		case !f.Required:
			s.add(field, "{%s} must be a required field", name)
		}
	}
}

func fieldNames(m *manifest) []string {
	var out []string
	for _, f := range m.Fields {
		out = append(out, f.Name)
	}
	return out
}

func checkAssertion(s *source, m *manifest, a *assertionSpec) {
	oneOf(s, "assertion.alg", a.Alg, "RS256", "ES256")
	if (m.Auth.Mode == ModeAppJWT) != (a.Key == clientKey) {
		s.add("assertion.key", "mode app_jwt signs with the key of the registered client (key: client), the others with a field")
	}
	if a.Key != clientKey {
		checkText(s, m, "assertion.key", a.Key)
	}
	if a.TTLSeconds < 60 || a.TTLSeconds > 3600 {
		s.add("assertion.ttl_seconds", "want 60 to 3600")
	}
	if a.BackdateSeconds < 0 || a.BackdateSeconds > 120 {
		s.add("assertion.backdate_seconds", "want 0 to 120, for clocks that go ahead of the provider's")
	}
	if a.Issuer == "" {
		s.add("assertion.iss", "is missing")
	}
	for _, name := range slices.Sorted(maps.Keys(a.templates())) {
		if tmpl := a.templates()[name]; tmpl != "" {
			checkText(s, m, "assertion."+name, tmpl, "client_id", "scopes", "key.fingerprint")
		}
	}
	for name := range a.Claims {
		if slices.Contains([]string{"iss", "sub", "aud", "scope", "iat", "exp", "nbf", "jti"}, name) {
			s.add("assertion.claims."+name, "is set by the fields above or by the time")
		}
	}
}

// checkLife holds lifetime, rotation and calls about tokens to what the mode can do. What a connection mints from is no
// token: no call may send it anywhere.
func checkLife(s *source, m *manifest) {
	mode := m.Auth.Mode
	if mode.Static() && (m.Expires.Mode != ExpiryNever || m.Rotation.Class != RotationNone) {
		s.add("expires.mode", "a pasted credential never expires by itself and has no rotation; leave both out")
	}
	if mode.Mints() && m.Rotation != (rotationSpec{Class: RotationStatic}) {
		s.add("rotation.class", "a mode that mints is static, whatever happens; leave rotation out")
	}
	if mode == ModeJWT && m.Assertion != nil && m.Expires != (expiresSpec{Mode: ExpiryFixed, Seconds: m.Assertion.TTLSeconds}) {
		s.add("expires.mode", "the token lives for assertion.ttl_seconds; leave expires out")
	}
	if mode != ModeOAuth2 && m.Revoke != nil && m.Revoke.Manual == nil && (m.Revoke.Token != TokenAccess || mode.Static()) {
		s.add("revoke.token", "only an access token that was minted can be revoked; what it is minted from belongs to the customer")
	}
	byClient := func(a CallAuth) bool {
		return a == CallAuthClientBasic || a == CallAuthClientPost || a == CallAuthClientBearer
	}
	noSecret := m.Auth.ClientAuth == ClientAuthPrivateKey || m.Auth.ClientAuth == ClientAuthTLS || mode != ModeOAuth2
	if noSecret && (m.Revoke != nil && byClient(m.Revoke.Auth) || m.Introspect != nil && byClient(m.Introspect.Auth)) {
		s.add("auth.client_auth", "this client has no secret that revoke or introspect could send")
	}
	if mode != ModeOAuth2 && m.Introspect != nil {
		s.add("introspect", "only mode oauth2 has it")
	}
}
