package catalog

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// tokenParams are the fields of token requests that this package knows.
var tokenParams = []string{"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "client_id", "client_secret", "assertion", "scope",
	"client_assertion", "client_assertion_type"}

func checkToken(s *source, m *manifest) {
	t := m.Token
	if m.Auth.Mode.Asks() {
		checkTokenWire(s, "token", t.Method, t.Format)
	}
	checkRenames(s, "token.param_renames", t.ParamRenames, tokenParams, slices.Collect(maps.Keys(t.Params)))
	for from, to := range t.ParamRenames {
		if to == "" {
			s.add("token.param_renames."+from, "is empty; what is not sent is in token.omit")
		}
		if from == "client_secret" && m.Auth.ClientAuth != ClientAuthPost {
			s.add("token.param_renames.client_secret", "only client_secret_post sends it in the body")
		}
	}
	for name, tmpl := range t.Params {
		reservedParam(s, "token.params."+name, name)
		checkRefs(s, m, "token.params."+name, tmpl, refsAllowed{callback: true}, refClientID, refRequestID)
	}
	for name, tmpl := range t.Headers {
		checkRefs(s, m, "token.headers."+name, tmpl, refsAllowed{callback: true}, refClientID, refRequestID)
	}
	checkOmit(s, "token.omit", t.Omit, "grant_type", "redirect_uri")
	checkRefresh(s, m)
	checkTokenMap(s, m)
}

func checkTokenWire(s *source, field, method, format string) {
	oneOf(s, field+".method", method, http.MethodPost, http.MethodGet)
	oneOf(s, field+".format", format, formatForm, formatJSON, formatQuery)
	if method == http.MethodGet && format != formatQuery {
		s.add(field+".format", "a GET has no body; its format is query")
	}
}

func checkOmit(s *source, field string, list []string, may ...string) {
	for _, name := range list {
		if !slices.Contains(may, name) {
			s.add(field, "%q cannot be left out; that can only be %s", name, strings.Join(may, ", "))
		}
	}
}

// checkRefresh checks where a refresh differs from the exchange.
func checkRefresh(s *source, m *manifest) {
	r := m.Refresh
	if m.Auth.Mode != ModeOAuth2 {
		if r.Kind != "" || r.URL != "" || r.Params != nil || r.Include != nil || r.Omit != nil || r.GrantType != "" || r.TokenParam != "" || r.Method != "" || r.Format != "" {
			s.add("refresh", "only mode oauth2 refreshes")
		}
		return
	}
	oneOf(s, "refresh.kind", string(r.Kind), string(RefreshWithToken), string(RefreshWithAccessToken), string(RefreshAsClient))
	checkTokenWire(s, "refresh", r.Method, r.Format)
	for name, tmpl := range r.Params {
		reservedParam(s, "refresh.params."+name, name)
		checkRefs(s, m, "refresh.params."+name, tmpl, refsAllowed{captured: true}, refClientID, refRequestID)
	}
	checkOmit(s, "refresh.omit", r.Omit, "grant_type", "client_id", "client_secret")
	if slices.ContainsFunc(r.Omit, func(name string) bool { return name != "grant_type" }) && m.Auth.ClientAuth != ClientAuthPost {
		s.add("refresh.omit", "only client_secret_post has the client in the body")
	}
	for _, name := range r.Include {
		if name != "redirect_uri" || r.Kind != RefreshWithToken {
			s.add("refresh.include", "%q: redirect_uri can be repeated, for kind refresh_token", name)
		}
	}
	checkRefreshKind(s, m)
}

// checkRefreshKind holds lifetime and rotation to what the kind can do.
func checkRefreshKind(s *source, m *manifest) {
	r, trades := m.Refresh, m.Refresh.Kind == RefreshWithAccessToken
	if trades != (r.TokenParam != "") {
		s.add("refresh.token_param", "kind reexchange_access_token needs it, the others do not have it")
	} else if trades && (!paramName.MatchString(r.TokenParam) || slices.Contains([]string{"client_id", "client_secret", "grant_type"}, r.TokenParam)) {
		s.add("refresh.token_param", "%q: want the name of the parameter that holds the access token", r.TokenParam)
	}
	if r.GrantType != "" && !trades {
		s.add("refresh.grant_type", "is for kind reexchange_access_token")
	}
	if r.Kind == RefreshWithToken {
		return
	}
	if m.Rotation.Class != RotationStatic {
		s.add("rotation.class", "what is renewed without a refresh token can be asked for again: class static")
	}
	if m.Expires.Mode == ExpiryNever {
		s.add("expires.mode", "a token that never expires is not renewed")
	}
	if m.Revoke != nil && m.Revoke.Token == TokenRefresh {
		s.add("revoke.token", "there is no refresh token; revoke the access token")
	}
	if trades && slices.Contains(m.Auth.MTLS, mtlsAPI) {
		s.add("refresh.kind", "an access token that is joined with a certificate cannot be traded")
	}
	if r.Kind == RefreshAsClient && (m.Auth.ClientAuth == ClientAuthNone || slices.Contains(r.Omit, "client_secret")) {
		s.add("refresh.kind", "client_credentials needs a client that proves itself")
	}
}

// reservedParam refuses a constant that the grant sets.
func reservedParam(s *source, field, name string) {
	if slices.Contains(tokenParams, name) {
		s.add(field, "is set by the grant and cannot be a constant")
	}
}
