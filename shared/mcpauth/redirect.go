package mcpauth

import (
	"net/url"
	"slices"
	"strings"
)

// CheckRedirectURI refuses what no client may register: anything but https, or http to this computer (MCP, authorization:
// communication security), without fragment or user, in plain ASCII.
func CheckRedirectURI(s string) error {
	wrong := bad("invalid_request", "a redirect_uri is https, or http to localhost, 127.0.0.1 or [::1], and has no fragment")
	u, err := url.Parse(s)
	if err != nil || len(s) > maxRedirect || !printable(s) || strings.ContainsAny(s, "#\\ ") || u.User != nil || u.Host == "" || u.Hostname() == "" {
		return wrong
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return wrong
}

// loopback names this computer; "localhost" is what most clients register, though RFC 8252, section 8.3, would rather see addresses.
func loopback(host string) bool { return host == "127.0.0.1" || host == "::1" || host == "localhost" }

// Loopback reports whether a redirect URI leads to a program on the person's own computer, which any program there could be.
func Loopback(redirectURI string) bool {
	u, err := url.Parse(redirectURI)
	return err == nil && u.Scheme == "http" && loopback(u.Hostname())
}

// Registered reports whether a client that registered redirects may ask for uri: the very text, but for the port of an address
// of this computer, which the system gives out at each start (RFC 8252, section 7.3).
func Registered(redirects []string, uri string) bool {
	if slices.Contains(redirects, uri) {
		return true
	}
	return Loopback(uri) && slices.ContainsFunc(redirects, func(r string) bool { return Loopback(r) && portless(r) == portless(uri) })
}

// portless is a URI of this computer without its port. It is cut out of the text, so that nothing else is made equal.
func portless(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Port() == "" {
		return s
	}
	return strings.Replace(s, u.Host, strings.TrimSuffix(u.Host, ":"+u.Port()), 1)
}

// answer is the redirect back to the client. iss lets the client tell whose answer it is (RFC 9207).
func answer(redirectURI, issuer, state string, values url.Values) string {
	u, err := url.Parse(redirectURI)
	if err != nil { // it was checked
		return issuer
	}
	q := u.Query()
	for k, v := range values {
		q[k] = v
	}
	if state != "" {
		q.Set("state", state)
	}
	q.Set("iss", issuer)
	u.RawQuery = q.Encode()
	return u.String()
}
