package catalog

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var (
	connectorID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	plainName   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	headerName  = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

// checkManifest reports what the YAML decoder cannot: that nothing is left to guess and that the parts fit together.
func checkManifest(s *source, m *manifest) {
	if !connectorID.MatchString(m.ID) {
		s.add("id", "want a-z, 0-9 and '-', at most 31, without '_' (which ends the id in a tool's name)")
	}
	for field, v := range map[string]string{"name": m.Name, "description": m.Description} {
		if v == "" {
			s.add(field, "is missing")
		}
	}
	if !strings.HasPrefix(m.DocsURL, "https://") {
		s.add("docs_url", "want an https address of the provider's documentation")
	}
	checkKind(s, m)
	checkAuthorize(s, m)
	checkLifetime(s, m)
	checkScopes(s, m)
	checkToken(s, m)
	checkErrors(s, m)
	checkAPI(s, m)
	checkIdentity(s, m)
	checkTokenCalls(s, m)
	checkAccount(s, m)
}

// oneOf reports a missing or unknown value and lists the known ones.
func oneOf(s *source, field, v string, known ...string) {
	switch {
	case v == "":
		s.add(field, "must be stated: %s", strings.Join(known, ", "))
	case !slices.Contains(known, v):
		s.add(field, "%q is not one of %s", v, strings.Join(known, ", "))
	}
}

func checkLifetime(s *source, m *manifest) {
	e, r := m.Expires, m.Rotation
	oneOf(s, "expires.mode", string(e.Mode), "field", "fixed", "introspect", "on_401", "never")
	declared := e.Mode == ExpiryFixed || e.Mode == ExpiryIntrospect
	if declared != (e.Seconds > 0) {
		s.add("expires.seconds", "modes fixed and introspect need it, the others do not have it")
	}
	if (e.Mode == ExpiryIntrospect) != (m.Introspect != nil) {
		s.add("expires.mode", "introspect and the introspect request need each other")
	}
	if e.Mode == ExpiryField {
		oneOf(s, "expires.format", e.Format, expiryFormats...)
	} else if e.Format != "" {
		s.add("expires.format", "is for mode field")
	}
	if e.RefreshFormat != "" {
		oneOf(s, "expires.refresh_format", e.RefreshFormat, expiryFormats...)
	}
	oneOf(s, "rotation.class", string(r.Class), "none", "static", "grace", "strict")
	if (r.Class == RotationGrace) != (r.GraceSeconds > 0) {
		s.add("rotation.grace_seconds", "class grace needs it, the others do not have it")
	}
	if r.KeepAliveSeconds < 0 || r.AbsoluteMaxSeconds < 0 || r.GraceSeconds < 0 {
		s.add("rotation", "seconds cannot be negative")
	}
	if r.Class == RotationNone && (r.KeepAliveSeconds > 0 || r.OldAccessTokenDies) {
		s.add("rotation", "without refresh token there is nothing to keep alive or to replace")
	}
}

func checkScopes(s *source, m *manifest) {
	if m.Scopes.Mode != "" {
		oneOf(s, "scopes.mode", m.Scopes.Mode, "request", scopesFixed)
	}
	for name, scope := range m.Scopes.Known {
		field := "scopes.known"
		if scope.Description == "" {
			s.add(field, "%s has no description; the connect page shows it", name)
		}
		if !slices.Contains(effects, string(scope.Effect)) {
			s.add(field, "%s: effect %q is not one of %s", name, scope.Effect, strings.Join(effects, ", "))
		}
		unknownScopes(s, field, m, scope.Implies)
	}
	unknownScopes(s, "scopes.required", m, m.Scopes.Required)
	unknownScopes(s, "scopes.default", m, m.Scopes.Default)
	checkScopeLists(s, m)
}

var effects = []string{"read", "write", "destructive"}

func unknownScopes(s *source, field string, m *manifest, list []string) {
	for _, name := range list {
		if _, ok := m.Scopes.Known[name]; !ok {
			s.add(field, "scope %q is not in scopes.known", name)
		}
	}
}

func checkTokenMap(s *source, m *manifest) {
	checkHeaders(s, "token.headers", m.Token.Headers)
	checkConditions(s, "token.success", m.Token.Success)
	for _, p := range m.Token.Roots {
		if p != "." {
			checkPath(s, "token.roots", p, false)
		}
	}
	t := m.Token.Map
	for field, p := range map[string]string{"access_token": t.AccessToken, "refresh_token": t.RefreshToken, "expires_in": t.ExpiresIn,
		"refresh_expires_in": t.RefreshExpiresIn, "scope": t.Scope} {
		checkPath(s, "token.map."+field, p, false)
	}
	for name, p := range m.Token.Capture {
		if _, clash := m.field(name); clash || !plainName.MatchString(name) || name == RedirectURIKept {
			s.add("token.capture", "%q: want a-z, 0-9 and '_', and no name that is taken", name)
		}
		checkPath(s, "token.capture."+name, p, false)
	}
}

func checkPath(s *source, field, p string, empty bool) {
	if !pathSyntax.MatchString(p) && (p != "" || !empty) {
		s.add(field, "%q is not a path such as data.id or 0.code", p)
	}
}

func checkAPI(s *source, m *manifest) {
	checkHeaders(s, "api.headers", m.API.Headers)
	for name, tmpl := range m.API.Headers {
		checkRefs(s, m, "api.headers."+name, tmpl, refsAllowed{captured: true, optional: true})
	}
	checkAPIAuth(s, m)
	if m.API.IdempotencyHeader != "" {
		checkHeaders(s, "api.idempotency_header", map[string]string{m.API.IdempotencyHeader: ""})
	}
	for _, name := range references(s, "api.query", m.API.Query, false) {
		if meta, ok := strings.CutPrefix(name, ofConnection); !ok || !m.knownMeta(meta) {
			s.add("api.query", "{%s}: want {connection.name} of a field that is not secret or of token.capture", name)
		}
	}
	checkConditions(s, "api.success", m.API.Success)
	if r := m.API.RateReset; r != nil {
		checkHeaders(s, "api.rate_limit_reset.header", map[string]string{r.Header: ""})
		oneOf(s, "api.rate_limit_reset.unit", r.Unit, unitSeconds, unitEpoch, unitEpochMillis, unitHTTPDate, unitRFC3339)
	}
}

func checkAPIAuth(s *source, m *manifest) {
	a, in := m.API.Auth, apiAuth(m)
	if a.In != "" {
		oneOf(s, "api.auth.in", a.In, inHeader, inQuery)
	}
	if (a.In == inQuery) != (a.Param != "") || in.Query && a.Header != "" {
		s.add("api.auth.param", "in: query and param need each other, and exclude header")
	}
	if !in.Query {
		checkHeaders(s, "api.auth.header", map[string]string{in.Name: in.Format})
	} else if !inputName.MatchString(a.Param) {
		s.add("api.auth.param", "%q: want letters, digits and '_'", a.Param)
	}
	if strings.Count(in.Format, "{token}") != 1 {
		s.add("api.auth.format", "%q must hold {token} once", in.Format)
	}
}

func checkHeaders(s *source, field string, h map[string]string) {
	for name, v := range h {
		if !headerName.MatchString(name) || strings.ContainsAny(v, "\r\n\x00") {
			s.add(field, "%q: not a header", name)
		}
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length", "Content-Type", "Cookie", "Connection", "Transfer-Encoding":
			s.add(field, "%s cannot be set by a connector", name)
		case "Authorization":
			if field != "api.auth.header" {
				s.add(field, "credentials are not headers; api.auth says how the token is carried")
			}
		}
	}
}

func checkIdentity(s *source, m *manifest) {
	if m.Identity == nil {
		return
	}
	if r := m.Identity.Request; r != nil {
		oneOf(s, "identity.request.method", r.Method, http.MethodGet, http.MethodPost)
		if r.Body != nil && r.Method != http.MethodPost {
			s.add("identity.request.body", "a GET has no body")
		}
	} else if len(m.Identity.Map) > 0 {
		s.add("identity.map", "needs identity.request")
	}
	if m.Identity.Map["account_id"] == "" && m.Identity.Capture["account_id"] == "" {
		s.add("identity", "account_id must be in map or capture")
	}
	for name, p := range m.Identity.Map {
		oneOf(s, "identity.map", name, identityFields...)
		checkPath(s, "identity.map."+name, p, false)
	}
	for name, captured := range m.Identity.Capture {
		oneOf(s, "identity.capture", name, identityFields...)
		if !m.knownMeta(captured) {
			s.add("identity.capture."+name, "%q is captured nowhere, and no field that is not secret", captured)
		}
	}
}
