package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
)

// loadConnector reads, completes and checks one manifest.
func loadConnector(fsys fs.FS, folder string, over map[string]string) (*Connector, error) {
	var m manifest
	s, err := readStrict(fsys, path.Join(folder, manifestFile), &m)
	if err != nil {
		return nil, err
	}
	if m.ID != folder {
		s.add("id", "%q must be the name of the folder, %q", m.ID, folder)
	}
	complete(&m)
	checkManifest(s, &m)
	c := &Connector{
		ID: m.ID, Name: m.Name, Description: m.Description, DocsURL: m.DocsURL, Issuer: m.Authorize.Issuer, CodeParam: m.Authorize.CodeParam, Mode: m.Auth.Mode, Fields: buildFields(m.Fields),
		ClientAuth: m.Auth.ClientAuth, PKCE: m.Auth.PKCE,
		Scopes: Scopes{Param: m.Scopes.Param, Separator: m.Scopes.Separator, Required: m.Scopes.Required, Default: m.Scopes.Default,
			Known: m.Scopes.Known, responseSeparator: m.Scopes.ResponseSeparator},
		Rotation: Rotation(m.Rotation), Expiry: Expiry(m.Expires),
		APIAuth: apiAuth(&m),
		m:       m, hosts: buildHosts(s, m, over), fsys: fsys,
	}
	c.urls, c.fixed, c.captures = buildURLs(s, m), buildFixed(s, m), buildCaptures(m)
	if err := s.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// complete fills in what RFC 6749 and 6750 define, and what follows from the mode; everything that varies without a
// standard must be stated.
func complete(m *manifest) {
	completeKind(m)
	m.Scopes.Param = cmp.Or(m.Scopes.Param, "scope")
	m.Scopes.Separator = cmp.Or(m.Scopes.Separator, " ")
	m.Scopes.ResponseSeparator = cmp.Or(m.Scopes.ResponseSeparator, m.Scopes.Separator)
	t := &m.Token.Map
	t.AccessToken = cmp.Or(t.AccessToken, "access_token")
	t.RefreshToken = cmp.Or(t.RefreshToken, "refresh_token")
	t.ExpiresIn = cmp.Or(t.ExpiresIn, "expires_in")
	t.RefreshExpiresIn = cmp.Or(t.RefreshExpiresIn, "refresh_token_expires_in")
	t.Scope = cmp.Or(t.Scope, "scope")
	if len(m.Token.Roots) == 0 {
		m.Token.Roots = []string{"."}
	}
	for name, set := range m.Tokens {
		set.Map = set.Map.over(*t)
		m.Tokens[name] = set
	}
	if m.Errors.Token.Dialect == dialectRFC6749 {
		m.Errors.Token.Code = cmp.Or(m.Errors.Token.Code, "error")
		m.Errors.Token.Message = cmp.Or(m.Errors.Token.Message, "error_description")
	}
}

// apiAuth is api.auth with what RFC 6750 and 7617 define.
func apiAuth(m *manifest) AuthHeader {
	a, c := m.API.Auth, m.Credential
	out := AuthHeader{Name: cmp.Or(a.Header, "Authorization"), Format: cmp.Or(a.Format, "Bearer {token}"), Base64: c != nil && c.Encode == encodeBase64, Certified: slices.Contains(m.Auth.MTLS, mtlsAPI)}
	if a.Format == "" && m.Auth.Mode == ModeBasic {
		out.Format = "Basic {token}"
	}
	if a.In == inQuery {
		out.Query, out.Name, out.Format = true, a.Param, cmp.Or(a.Format, "{token}")
	}
	return out
}

const (
	inHeader     = "header"
	inQuery      = "query"
	encodeBase64 = "base64"
)

// completeKind states what a mode leaves no choice about.
func completeKind(m *manifest) {
	for i := range m.Fields {
		f := &m.Fields[i]
		f.Kind = cmp.Or(f.Kind, FieldText)
		if f.MaxLength == 0 {
			f.MaxLength = map[FieldKind]int{FieldText: 512, FieldPEM: maxField, FieldJSON: maxField}[f.Kind]
		}
	}
	mode := m.Auth.Mode
	if mode == ModeJWT && m.Assertion != nil && m.Expires == (expiresSpec{}) {
		m.Expires = expiresSpec{Mode: ExpiryFixed, Seconds: m.Assertion.TTLSeconds}
	}
	if mode.Static() && m.Expires == (expiresSpec{}) {
		m.Expires.Mode = ExpiryNever
	}
	if m.Rotation == (rotationSpec{}) && mode.Static() {
		m.Rotation.Class = RotationNone
	}
	if m.Rotation == (rotationSpec{}) && mode.Mints() {
		m.Rotation.Class = RotationStatic
	}
	if mode != ModeOAuth2 && m.Auth.PKCE == "" {
		m.Auth.PKCE = PKCENever
	}
	if mode != ModeOAuth2 && mode != ModeClientCredentials && m.Auth.ClientAuth == "" {
		m.Auth.ClientAuth = ClientAuthNone
	}
	if m.Expires.Mode == ExpiryField {
		m.Expires.Format = cmp.Or(m.Expires.Format, ExpiresSeconds)
	}
	m.Token.Format = cmp.Or(m.Token.Format, formatForm)
	m.Token.Method = cmp.Or(m.Token.Method, http.MethodPost)
	if mode == ModeOAuth2 {
		m.Authorize.CodeParam = cmp.Or(m.Authorize.CodeParam, "code")
		r := &m.Refresh
		r.Kind, r.Method, r.Format = cmp.Or(r.Kind, RefreshWithToken), cmp.Or(r.Method, m.Token.Method), cmp.Or(r.Format, m.Token.Format)
	}
}

// buildURLs parses the manifest's addresses. Only calls about a token may use {client_id}.
func buildURLs(s *source, m manifest) map[string]template {
	urls := map[string]template{}
	add := func(name, field, text string, vars ...string) {
		t, err := parseTemplate(text)
		if err != nil {
			s.add(field, "%v", err)
			return
		}
		checkTemplate(s, field, t, m.Hosts, vars)
		urls[name] = t
	}
	public, back, known := m.vars()
	addAccountURLs(&m, add)
	if m.Auth.Mode == ModeOAuth2 {
		add("authorize", "authorize.url", m.Authorize.URL, public...)
	}
	if m.Auth.Mode.Asks() {
		add("token", "token.url", m.Token.URL, back...)
	}
	if m.Refresh.URL != "" {
		add("refresh", "refresh.url", m.Refresh.URL, slices.Concat(public, known)...)
	}
	add("api", "api.base", m.API.Base, known...)
	if m.Identity != nil && m.Identity.Request != nil {
		add("identity", "identity.request.url", m.Identity.Request.URL, known...)
	}
	if m.Introspect != nil {
		add("introspect", "introspect.url", m.Introspect.URL, append(known, "client_id")...)
	}
	if m.Revoke != nil && m.Revoke.Manual == nil {
		add("revoke", "revoke.url", m.Revoke.URL, append(known, "client_id", "token")...)
	}
	return urls
}

func checkTemplate(s *source, field string, t template, hosts map[string]hostSpec, vars []string) {
	if _, ok := hosts[t.host]; !ok {
		s.add(field, "host {%s} is not in hosts", t.host)
	}
	for _, v := range t.vars {
		if !slices.Contains(vars, v) {
			s.add(field, "{%s} is not known here", v)
		}
	}
}

// loadTools reads and checks tools.yaml of c.
func loadTools(c *Connector) ([]*Tool, error) {
	var specs []toolSpec
	s, err := readStrict(c.fsys, path.Join(c.ID, toolsFile), &specs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var tools []*Tool
	seen := map[string]bool{}
	for i, spec := range specs {
		field := fmt.Sprintf("[%d]", i)
		if seen[spec.Name] {
			s.add(field+".name", "%s is there twice", spec.Name)
		}
		seen[spec.Name] = true
		tools = append(tools, newTool(s, field, c, spec))
	}
	if err := s.err(); err != nil {
		return nil, err
	}
	slices.SortFunc(tools, func(a, b *Tool) int { return strings.Compare(a.Name, b.Name) })
	return tools, nil
}

func newTool(s *source, field string, c *Connector, spec toolSpec) *Tool {
	t := &Tool{
		Name: spec.Name, Title: spec.Title, Description: strings.TrimSpace(spec.Description), Effect: spec.Effect,
		Idempotent: spec.Idempotent || spec.Effect == EffectRead, IdempotencyHeader: spec.IdempotencyHeader,
		Scopes: spec.Scopes, TokenSet: spec.Token, connector: c, spec: spec, mask: newMask(spec.Response.Keep),
	}
	plainDefaults(s, field, spec)
	checkTool(s, field, c, spec)
	url, err := parseTemplate(spec.Request.URL)
	if err != nil {
		s.add(field+".request.url", "%v", err)
	}
	t.url = url
	if err == nil {
		checkMapping(s, field, c, spec, url)
	}
	if t.InputSchema, err = inputSchema(spec.Input); err != nil {
		s.add(field+".input", "%v", err)
	}
	return t
}

// plainDefaults makes defaults what they would be if a caller had sent them: YAML has kinds of numbers that JSON has not, and
// policies know JSON's only.
func plainDefaults(s *source, field string, spec toolSpec) {
	for name, p := range spec.Input.Properties {
		if p.Default == nil {
			continue
		}
		b, err := encodeJSON(p.Default)
		if err == nil {
			p.Default, err = decodeJSON(b)
		}
		if err != nil {
			s.add(field+".input.properties."+name+".default", "%v", err)
		}
		spec.Input.Properties[name] = p
	}
}
