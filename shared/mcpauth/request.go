package mcpauth

import (
	"net/url"
	"strings"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// Request is an authorization request that was checked.
type Request struct {
	ClientID    string `json:"client_id"`
	RedirectURI string `json:"redirect_uri"`
	State       string `json:"state,omitempty"`
	// Challenge is the S256 code challenge (RFC 7636, section 4.2).
	Challenge string `json:"challenge"`
	// Resource is the path below our address that tokens are for: /mcp or a view.
	Resource string `json:"resource"`
	// Scoped tells that the client asked for scopes. We have none, and tell it so with the token (RFC 6749, section 3.3).
	Scoped bool `json:"scoped,omitempty"`
}

// Limits of texts that clients choose, in bytes. An id is what a switch may name, so that a client can be switched off as an agent.
const (
	maxClientID = 100
	maxRedirect = 512
	maxState    = 1024
)

// single are the parameters that decide something, each of which must stand once (RFC 6749, section 3.1).
var single = []string{"response_type", "response_mode", "client_id", "redirect_uri", "state", "scope", "resource", "code_challenge", "code_challenge_method", "request", "request_uri"}

// bad is an error of OAuth: reason is its code (RFC 6749, sections 4.1.2.1 and 5.2).
func bad(reason, format string, args ...any) *fault.Error {
	return fault.New(fault.InvalidInput, format, args...).With("reason", reason)
}

// ParseRequest reads the query of an authorization request for the deployment at public. Parameters that OAuth does not know are
// ignored, as it asks. Errors are fault.InvalidInput whose reason is OAuth's code; they are shown to the person and never sent
// to the redirect URI: nobody has decided yet to trust whoever chose it (OAuth 2.1, section 7.12.2).
func ParseRequest(q url.Values, public string) (Request, error) {
	for _, name := range single {
		if len(q[name]) > 1 {
			return Request{}, bad("invalid_request", "%s is given %d times", name, len(q[name]))
		}
	}
	r := Request{ClientID: q.Get("client_id"), RedirectURI: q.Get("redirect_uri"), State: q.Get("state"), Challenge: q.Get("code_challenge"), Scoped: strings.TrimSpace(q.Get("scope")) != ""}
	switch {
	case q.Has("request") || q.Has("request_uri"):
		return r, bad("request_not_supported", "requests by object or by reference are not supported")
	case q.Get("response_type") != "code":
		return r, bad("unsupported_response_type", "response_type must be code")
	case q.Has("response_mode") && q.Get("response_mode") != "query":
		return r, bad("invalid_request", "response_mode must be query, or left out")
	case q.Get("code_challenge_method") != "S256" || !verifier(r.Challenge) || len(r.Challenge) != challengeLen:
		return r, bad("invalid_request", "PKCE is required: code_challenge with code_challenge_method=S256")
	case len(r.State) > maxState || !printable(r.State):
		return r, bad("invalid_request", "state is at most %d printable ASCII characters", maxState)
	case r.RedirectURI == "":
		return r, bad("invalid_request", "redirect_uri is missing")
	}
	if err := CheckRedirectURI(r.RedirectURI); err != nil {
		return r, err
	}
	var err error
	r.Resource, err = ParseResource(q.Get("resource"), public)
	return r, err
}

// ParseResource reads a resource indicator (RFC 8707, section 2) and returns its path: /mcp or a view below it. Case of scheme and host
// does not count, nor does one slash at the end.
func ParseResource(s, public string) (string, error) {
	wrong := bad("invalid_target", "resource must be %s%s, or a view below it", public, authn.MCPResource)
	u, err := url.Parse(s)
	if s == "" || len(s) > maxRedirect || err != nil || u.User != nil || u.Fragment != "" || strings.ContainsAny(s, "#?%\\") {
		return "", wrong
	}
	own := strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host) + strings.TrimSuffix(u.Path, "/")
	path, ok := strings.CutPrefix(own, strings.TrimSuffix(public, "/"))
	if !ok {
		return "", wrong
	}
	if path == authn.MCPResource {
		return path, nil
	}
	view, ok := strings.CutPrefix(path, authn.MCPResource+"/")
	if !ok {
		return "", wrong
	}
	if _, err := toolcall.ParseViewName("resource", view); err != nil {
		return "", wrong.WithCause(err)
	}
	return path, nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}
