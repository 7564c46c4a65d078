package catalog

import (
	"fmt"
	"net/http"
	"strings"
)

// checkErrors checks both error dialects.
func checkErrors(s *source, m *manifest) {
	t, a := m.Errors.Token, m.Errors.API
	if m.Auth.Mode.Asks() {
		oneOf(s, "errors.token.dialect", t.Dialect, dialectRFC6749, dialectCustom)
	}
	if t.Dialect == dialectCustom && t.Code == "" {
		s.add("errors.token.code", "dialect custom needs the path of the error code")
	}
	oneOf(s, "errors.api.dialect", a.Dialect, dialectStatus, dialectJSON)
	if (a.Dialect == dialectJSON) != (a.Code+a.Message != "") {
		s.add("errors.api", "dialect json needs the path of code or message, dialect status has neither")
	}
	for field, d := range map[string]dialectSpec{"errors.token": t, "errors.api": a} {
		checkPath(s, field+".code", d.Code, true)
		checkPath(s, field+".message", d.Message, true)
		for i, r := range d.Rules {
			checkRule(s, fmt.Sprintf("%s.rules[%d]", field, i), r)
		}
	}
}

func checkRule(s *source, field string, r rule) {
	oneOf(s, field+".outcome", string(r.Outcome), outcomeKinds[1:]...)
	for _, on := range r.On {
		oneOf(s, field+".on", on, onExchange, onRefresh, onStep)
	}
	if len(r.On) > 0 && !strings.HasPrefix(field, "errors.token") {
		s.add(field+".on", "is for errors.token; errors.api is about calls of the API")
	}
	checkMatch(s, field, r.match())
	if r.Reason != "" && !machineCode.MatchString(r.Reason) {
		s.add(field+".reason", "%q: want at most 64 of A-Z, a-z, 0-9, '_', '.', ':' and '-'", r.Reason)
	}
	if n := r.Needed; n != nil {
		checkConditions(s, field+".needed", []condition{{Path: n.Path, Header: n.Header, Present: true}})
		if n.Param != "" && n.Header == "" {
			s.add(field+".needed.param", "is a parameter of a header")
		}
		if n.Separator == "" {
			s.add(field+".needed.separator", "must be stated")
		}
	}
}

func checkMatch(s *source, field string, m match) {
	if len(m.Status)+len(m.When) == 0 {
		s.add(field, "matches everything; state status or when")
	}
	for _, code := range m.Status {
		if code < 100 || code > 599 {
			s.add(field+".status", "%d is not an HTTP status", code)
		}
	}
	checkConditions(s, field+".when", m.When)
}

func checkConditions(s *source, field string, list []condition) {
	for i, c := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if (c.Path == "") == (c.Header == "") {
			s.add(at, "state either path or header")
		}
		if c.Path != wholeBody {
			checkPath(s, at+".path", c.Path, true)
		}
		tests := 0
		for _, stated := range []bool{len(c.Is) > 0, c.Contains != "", c.Present, c.Absent} {
			if stated {
				tests++
			}
		}
		if tests != 1 {
			s.add(at, "state one of is, contains, present: true, absent: true")
		}
	}
}

// checkTokenCalls checks revoke and introspect.
func checkTokenCalls(s *source, m *manifest) {
	if m.Introspect != nil {
		checkTokenCall(s, "introspect", *m.Introspect)
	}
	r := m.Revoke
	if r == nil {
		return
	}
	checkRevoke(s, m)
	if r.Manual != nil {
		return
	}
	checkTokenCall(s, "revoke", r.call())
	oneOf(s, "revoke.blast_radius", string(r.BlastRadius), "token", "grant", "user", "team")
	checkMatch(s, "revoke.success", r.Success)
	for i, g := range r.AlreadyGone {
		checkMatch(s, fmt.Sprintf("revoke.already_gone[%d]", i), g)
	}
}

func checkTokenCall(s *source, field string, c tokenCallSpec) {
	oneOf(s, field+".method", c.Method, http.MethodPost, http.MethodDelete, http.MethodGet)
	inPath := strings.Contains(c.URL, "{token}")
	if field == "revoke" {
		oneOf(s, field+".auth", string(c.Auth), "client_basic", "client_post", "bearer", "none", "client_bearer")
		oneOf(s, field+".token", string(c.Token), "access", "refresh", "both", "none")
	} else {
		oneOf(s, field+".auth", string(c.Auth), "client_basic", "client_post", "bearer", "none")
		oneOf(s, field+".token", string(c.Token), "access", "refresh")
	}
	if c.Format != "" {
		oneOf(s, field+".format", c.Format, formatForm, formatJSON, formatQuery)
	}
	if (c.Param == "" && len(c.Params) == 0) != (c.Format == "") && !(c.Auth == CallAuthClientPost && inPath) {
		s.add(field+".param", "param and format need each other: the token travels in that field")
	}
	if c.Param == "" && c.Auth != CallAuthBearer && c.Token != TokenNone && !inPath {
		s.add(field+".param", "must be stated unless auth is bearer, or the address holds {token}")
	}
	if inPath && (c.Param != "" || c.Token == TokenNone) {
		s.add(field+".url", "{token} in the address excludes param, and token none")
	}
	if c.Auth == CallAuthClientPost && c.Format != formatForm {
		s.add(field+".format", "auth client_post needs form")
	}
	if c.Auth == CallAuthBearer && c.Param == "" && !inPath && c.Token != TokenAccess && c.Token != TokenNone {
		s.add(field+".token", "a bearer call is about the access token")
	}
}
