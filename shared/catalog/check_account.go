package catalog

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// checkAccount checks what happens around a grant: the callback, the steps behind a token, the choice of a place, token sets.
func checkAccount(s *source, m *manifest) {
	checkCallback(s, m)
	for i, step := range m.Token.ExtraSteps {
		checkStep(s, m, stepURL(i), step)
	}
	for i, p := range m.PostConnect {
		checkPostConnect(s, m, postConnectURL(i), p)
	}
	asks := 0
	for _, p := range m.PostConnect {
		if p.Choose == ChooseOne {
			asks++
		}
	}
	if asks > 1 {
		s.add("post_connect", "a person is asked once: one choose: one at most")
	}
	checkTokenSets(s, m)
	checkSecretHosts(s, m)
	checkMetaNames(s, m)
}

// addAccountURLs parses the addresses of this file's parts.
func addAccountURLs(m *manifest, add func(name, field, text string, vars ...string)) {
	public, _, known := m.vars()
	if m.Callback.Setup != nil {
		add("setup", "callback.setup.url", m.Callback.Setup.URL, public...)
	}
	for i, step := range m.Token.ExtraSteps {
		add(stepURL(i), stepURL(i)+".request.url", step.Request.URL, known...)
	}
	for i, p := range m.PostConnect {
		add(postConnectURL(i), postConnectURL(i)+".request.url", p.Request.URL, known...)
	}
}

// checkMetaNames lets each name of metadata have one source, so that nothing can be put over something that was proved.
func checkMetaNames(s *source, m *manifest) {
	from := map[string]string{}
	claim := func(where string, names []string) {
		for _, name := range names {
			_, field := m.field(name)
			if !plainName.MatchString(name) || name == RedirectURIKept || field || from[name] != "" && from[name] != where {
				s.add(where+"."+name, "%q: want a-z, 0-9 and '_', a name of one source only, and none of a field, or redirect_uri", name)
			}
			from[name] = where
		}
	}
	claim("token.capture", slices.Collect(maps.Keys(m.Token.Capture)))
	for i, step := range m.Token.ExtraSteps {
		for _, name := range slices.Collect(maps.Keys(step.Capture)) {
			if m.Token.Capture[name] == "" { // a step may say it anew: instance_url of Salesforce's data cloud
				claim(stepURL(i)+".capture", []string{name})
			}
		}
	}
	claim("callback.capture", slices.Collect(maps.Keys(m.Callback.Capture)))
	for i, p := range m.PostConnect {
		claim(postConnectURL(i)+".capture", slices.Collect(maps.Keys(p.Capture)))
	}
}

// reservedAnswer are the parameters of an authorization response that mean something else.
var reservedAnswer = []string{"code", "state", "iss", "error", "error_description", "error_uri", "scope", "session_state", "id_token", "access_token"}

func checkCallback(s *source, m *manifest) {
	c := m.Callback
	if m.Auth.Mode != ModeOAuth2 && (len(c.Capture) > 0 || c.Setup != nil) {
		s.add("callback", "only mode oauth2 has a callback")
		return
	}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Capture)) {
		capture, at := c.Capture[name], "callback.capture."+name
		if !answerParam.MatchString(capture.Param) || slices.Contains(reservedAnswer, capture.Param) || capture.Param == m.Authorize.CodeParam || seen[capture.Param] != "" {
			s.add(at+".param", "%q: want the name of a parameter of the answer, once, and none that OAuth uses", capture.Param)
		}
		seen[capture.Param] = name
		_, err := regexp.Compile(capture.Pattern)
		if err != nil || !strings.HasPrefix(capture.Pattern, "^") || !strings.HasSuffix(capture.Pattern, "$") {
			s.add(at+".pattern", "%q: want a pattern ^…$, since the value comes through a browser", capture.Pattern)
		}
		if !m.hostCapture(name) && !m.names(name) && !m.chosenBy(name) {
			s.add(at, "must be account_id or tenant_id in identity.capture, or the param of a choice: otherwise a reconnect could change it unseen")
		}
		if !m.proved(name) {
			s.add(at, "comes through a browser and nothing proves it: use it as the capture of a host with an allow list, as param of post_connect with choose by_param, or in the address of identity.request or of a post_connect request")
		}
	}
	checkSetup(s, c.Setup)
}

var answerParam = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// proved reports that something after the exchange fails when the callback's value is not the account's, or that it can only name
// one of some hosts.
func (m *manifest) proved(name string) bool {
	if m.hostCapture(name) || m.chosenBy(name) {
		return true
	}
	ref := "{" + ofConnection + name + "}"
	if m.Identity != nil && m.Identity.Request != nil && strings.Contains(m.Identity.Request.URL, ref) {
		return true
	}
	for _, p := range m.PostConnect {
		if strings.Contains(p.Request.URL, ref) {
			return true
		}
	}
	return false
}

// hostCapture reports that the metadata name is a host, which has a list.
func (m *manifest) hostCapture(name string) bool {
	for _, h := range m.Hosts {
		if h.Capture == name {
			return true
		}
	}
	return false
}

// chosenBy reports that a place is found by the metadata name among those that the account can reach.
func (m *manifest) chosenBy(name string) bool {
	return slices.ContainsFunc(m.PostConnect, func(p postConnectSpec) bool { return p.Choose == ChooseByParam && p.Param == name })
}

func checkSetup(s *source, setup *setupSpec) {
	if setup == nil {
		return
	}
	if !answerParam.MatchString(setup.Param) || slices.Contains(reservedAnswer, setup.Param) {
		s.add("callback.setup.param", "%q: want the name of the parameter that says what was done", setup.Param)
	}
	if len(setup.Done) == 0 {
		s.add("callback.setup.done", "must be stated: the values that go on to consent")
	}
	for _, v := range setup.Pending {
		if slices.Contains(setup.Done, v) {
			s.add("callback.setup.pending", "%q is in done", v)
		}
	}
}

func checkStep(s *source, m *manifest, at string, step stepSpec) {
	r := step.Request
	if !m.Auth.Mode.Asks() {
		s.add(at, "modes jwt, api_key, basic and bearer ask no token endpoint")
	}
	for _, on := range step.On {
		oneOf(s, at+".on", on, onExchange, onRefresh)
	}
	if m.Auth.Mode != ModeOAuth2 && len(step.On) > 0 {
		s.add(at+".on", "only mode oauth2 has an exchange; leave it out")
	}
	oneOf(s, at+".request.method", r.Method, http.MethodGet, http.MethodPost)
	oneOf(s, at+".request.auth", string(r.Auth), string(CallAuthNone), string(CallAuthBearer), string(CallAuthClientBasic))
	if r.Auth == CallAuthClientBasic && !m.hasSecret() {
		s.add(at+".request.auth", "this client has no secret")
	}
	if slices.Contains(m.Auth.MTLS, mtlsAPI) {
		s.add(at, "cannot be combined with a certificate in API calls (auth.mtls): the token is joined with it when it arrives")
	}
	checkHeaders(s, at+".request.headers", r.Headers)
	if (len(r.Body) > 0) != (r.Format != "") || r.Method == http.MethodGet && r.Format != "" {
		s.add(at+".request.format", "body and format need each other, and a GET has neither")
	}
	if r.Format != "" {
		oneOf(s, at+".request.format", r.Format, formatForm, formatJSON)
	}
	for part, fields := range map[string]map[string]string{"query": r.Query, "body": r.Body} {
		for name, tmpl := range fields {
			checkStepText(s, m, at+".request."+part+"."+name, tmpl)
		}
	}
	checkConditions(s, at+".success", step.Success)
	checkPath(s, at+".map.access_token", step.Map.AccessToken, true)
	checkPath(s, at+".map.expires_in", step.Map.ExpiresIn, true)
	if step.Map.AccessToken == "" && len(step.Capture) == 0 {
		s.add(at, "brings nothing: state map.access_token or capture")
	}
	for name, p := range step.Capture {
		checkPath(s, at+".capture."+name, p, false)
	}
}

func checkStepText(s *source, m *manifest, at, tmpl string) {
	t, err := parseText(tmpl)
	if err != nil {
		s.add(at, "%v", err)
	}
	for _, name := range t.names() {
		meta, ok := strings.CutPrefix(name, ofConnection)
		switch {
		case ok && m.knownMeta(meta), name == stepAccess, name == stepRefresh, name == stepClientID:
		case name == stepClientSecret && m.hasSecret():
		default:
			s.add(at, "{%s}: known are {token.access}, {token.refresh}, {client.id}, {client.secret} of a client that has one, and {connection.name} of what is captured", name)
		}
	}
}

func checkPostConnect(s *source, m *manifest, at string, p postConnectSpec) {
	oneOf(s, at+".request.method", p.Request.Method, http.MethodGet, http.MethodPost)
	if p.Request.Body != nil && p.Request.Method != http.MethodPost {
		s.add(at+".request.body", "a GET has no body")
	}
	lists := p.Choose != ChooseNothing
	if lists {
		oneOf(s, at+".choose", string(p.Choose), string(ChooseOne), string(ChooseFirst), string(ChooseByParam))
	}
	for field, path := range map[string]string{"items": p.Items, "id": p.ID} {
		if lists != (path != "") {
			s.add(at+"."+field, "choose needs it, and without choose it means nothing")
		}
	}
	if p.Items != wholeBody {
		checkPath(s, at+".items", p.Items, true)
	}
	for field, path := range map[string]string{"id": p.ID, "label": p.Label, "detail": p.Detail} {
		checkPath(s, at+"."+field, path, true)
	}
	if p.Choose == ChooseOne && p.Label == "" {
		s.add(at+".label", "is missing; a person chooses by it")
	}
	if (p.Choose == ChooseByParam) != (p.Param != "") || p.Param != "" && !m.knownMeta(p.Param) {
		s.add(at+".param", "choose by_param needs it: the name of metadata that is captured before, or of a field that is not secret")
	}
	if lists && p.idName() == "" {
		s.add(at+".capture", "must take the id (%s), so that a reconnect finds the same place again", p.ID)
	}
	if lists && !m.names(p.idName()) {
		s.add(at+".capture", "the place's id must be account_id or tenant_id in identity.capture: two places of one account are two connections")
	}
	if len(p.Capture) == 0 {
		s.add(at+".capture", "is missing: what the request is for")
	}
	for name, path := range p.Capture {
		checkPath(s, at+".capture."+name, path, false)
	}
}

// names reports that the metadata name is part of what tells accounts apart.
func (m *manifest) names(name string) bool {
	return m.Identity != nil && name != "" && (m.Identity.Capture["account_id"] == name || m.Identity.Capture["tenant_id"] == name)
}

func checkTokenSets(s *source, m *manifest) {
	if len(m.Tokens) > 0 && m.Auth.Mode != ModeOAuth2 {
		s.add("tokens", "only mode oauth2 has further tokens")
	}
	if len(m.Tokens) > 0 && (m.Auth.Mode == ModeOAuth2 && m.Refresh.Kind != RefreshWithToken || slices.Contains(m.Auth.MTLS, mtlsAPI)) {
		s.add("tokens", "need refresh.kind refresh_token, and no certificate in API calls (auth.mtls)")
	}
	for name, set := range m.Tokens {
		at := "tokens." + name
		if !plainName.MatchString(name) || len(name) > 40 || name == "main" {
			s.add(at, "%q: want a-z, 0-9 and '_', at most 40; \"main\" is the token of token.map", name)
		}
		checkPath(s, at+".root", set.Root, false)
		for field, p := range map[string]string{"access_token": set.Map.AccessToken, "refresh_token": set.Map.RefreshToken, "expires_in": set.Map.ExpiresIn,
			"refresh_expires_in": set.Map.RefreshExpiresIn, "scope": set.Map.Scope} {
			checkPath(s, at+".map."+field, p, false)
		}
		if slices.Contains(m.Token.Roots, set.Root) {
			s.add(at+".root", "%s is in token.roots: one token would be in both", set.Root)
		}
	}
	if len(m.Tokens) > 0 && (len(m.Token.ExtraSteps) > 0 || slices.ContainsFunc(m.PostConnect, func(p postConnectSpec) bool { return p.Choose == ChooseOne })) {
		s.add("tokens", "cannot be combined with token.extra_steps or with a choice by a person")
	}
}

// checkSecretHosts holds the addresses that receive a client secret, or a code, to hosts that are written out. A host that a
// token answer names is checked against its list at each use, but a list with a wildcard trusts everybody below a domain;
// and one that went through a browser may not have one at all.
func checkSecretHosts(s *source, m *manifest) {
	wild := func(host string) bool {
		h := m.Hosts[host] // one that a field names has rules of its own
		return h.Field == "" && slices.ContainsFunc(h.Allow, func(p string) bool { return strings.HasPrefix(p, "*") })
	}
	for name, h := range m.Hosts {
		if _, mine := m.Callback.Capture[h.Capture]; mine && h.Capture != "" && wild(name) {
			s.add("hosts."+name+".allow", "a host that comes through a browser must be one of a list without wildcards: code and client secret are sent there")
		}
	}
	check := func(field, url string) {
		if t, err := parseTemplate(url); err == nil && wild(t.host) {
			s.add(field, "{%s} may be any host below a domain, and the client's secret is sent here", t.host)
		}
	}
	check("token.url", m.Token.URL)
	check("refresh.url", m.Refresh.URL)
	for i, step := range m.Token.ExtraSteps {
		if step.Request.Auth == CallAuthClientBasic || step.sends(stepClientSecret) || step.sends(stepRefresh) {
			check(stepURL(i)+".request.url", step.Request.URL)
		}
	}
}

func (step stepSpec) sends(name string) bool {
	for _, fields := range []map[string]string{step.Request.Query, step.Request.Body} {
		for _, tmpl := range fields {
			if strings.Contains(tmpl, "{"+name+"}") {
				return true
			}
		}
	}
	return false
}

// checkDefaultHost checks hosts.*.default against its own list.
func checkDefaultHost(s *source, field string, spec hostSpec, h host) {
	if spec.Default == "" {
		return
	}
	if spec.Capture == "" {
		s.add(field+".default", "is for a captured host")
	} else if _, err := h.allowed(spec.Default); err != nil {
		s.add(field+".default", "%v", err)
	}
}

// checkRevoke checks what revocation leaves behind, and that somebody is told where there is no call.
func checkRevoke(s *source, m *manifest) {
	r := m.Revoke
	if r.Manual != nil {
		if r.Method+r.URL+string(r.Auth)+string(r.Token)+r.Param+r.Format != "" || r.BlastRadius != "" || r.Effect != "" || len(r.Params) > 0 {
			s.add("revoke.manual", "stands alone: the provider has no call")
		}
		if r.Manual.Text == "" {
			s.add("revoke.manual.text", "is missing: how a person removes the access")
		}
		if r.Manual.URL != "" && !strings.HasPrefix(r.Manual.URL, "https://") {
			s.add("revoke.manual.url", "want an https address")
		}
		return
	}
	if r.Effect != "" {
		oneOf(s, "revoke.effect", string(r.Effect), string(EffectToken), string(EffectTokens), string(EffectGrant))
	}
	if r.Effect == EffectGrant && r.BlastRadius == BlastToken {
		s.add("revoke.blast_radius", "effect grant ends more than a token; say grant, user or team")
	}
	for name, tmpl := range r.Params {
		at := "revoke.params." + name
		reservedParam(s, at, name)
		t, err := parseText(tmpl)
		if err != nil {
			s.add(at, "%v", err)
		}
		for _, ref := range t.names() {
			meta, ok := strings.CutPrefix(ref, ofConnection)
			if ref != "client_id" && ref != "account_id" && (!ok || !m.knownMeta(meta)) {
				s.add(at, "{%s}: known are {client_id}, {account_id} and {connection.name} of what is captured", ref)
			}
		}
	}
	if len(r.Params) > 0 && r.Format == "" {
		s.add("revoke.params", "need format")
	}
	if r.Token == TokenNone && (len(r.Params) == 0 || r.Param != "") {
		s.add("revoke.token", "none: params name the account, and no token is sent")
	}
}
