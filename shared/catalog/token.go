package catalog

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// TokenResponse is a successful answer of the token endpoint.
type TokenResponse struct {
	AccessToken secret.Text
	// RefreshToken is zero when the answer held none: after a refresh that means "keep the one you have".
	RefreshToken secret.Text
	// ExpiresAt is zero when the access token does not expire or nobody knows when.
	ExpiresAt time.Time
	// RefreshExpiresAt is zero when the provider does not say.
	RefreshExpiresAt time.Time
	// Scopes are those granted; meaningful only when ScopesStated. An answer without scopes grants what was asked for
	// (RFC 6749, section 5.1); so is an empty scope read, which GitHub Apps send.
	Scopes       []string
	ScopesStated bool
	// Sets are the further tokens of an exchange, by name. Only expiry, scopes and tokens are set in them.
	Sets map[string]TokenResponse
	// Metadata is what the manifest captures and this answer held. A refresh may hold less: merge it over what is stored.
	Metadata map[string]string
}

// maxMetadata bounds one captured value in bytes; it is stored with the connection.
const maxMetadata = 512

// maxLifetime is the longest believable token lifetime in seconds (ten years); more would overflow a Duration at some point.
const maxLifetime = 10 * 365 * 24 * 3600

// ParseTokenBody is ParseTokenResponse for the raw body of any answer of the token endpoint, JSON or form-encoded. For a
// failure it returns the fault of ClassifyTokenError; errors.As finds the Outcome in it as *ProviderFailure.
func (c *Connector) ParseTokenBody(status int, header http.Header, body []byte, now time.Time) (TokenResponse, error) {
	return c.parseBody(onExchange, status, header, body, now)
}

// ParseRefreshBody is ParseTokenBody for the answer to a refresh.
func (c *Connector) ParseRefreshBody(status int, header http.Header, body []byte, now time.Time) (TokenResponse, error) {
	return c.parseBody(onRefresh, status, header, body, now)
}

func (c *Connector) parseBody(on string, status int, header http.Header, body []byte, now time.Time) (TokenResponse, error) {
	a := answer{status: status, header: header, body: decodeTokenBody(header, body), on: on}
	raw, ok := a.body.(map[string]any)
	if !ok || status < 200 || status > 299 {
		return TokenResponse{}, c.classifyToken(a).failure(c.ID)
	}
	return c.parseToken(raw, a, now)
}

// ParseTokenResponse reads the JSON object, or form values, of a 2xx token response. It judges the connector's success
// rule first (Slack: ok is true). It returns the fault of the classified failure, or fault.ProviderError when the answer
// holds no access token or a host that the connector may not call.
func (c *Connector) ParseTokenResponse(raw map[string]any, now time.Time) (TokenResponse, error) {
	return c.parseToken(raw, answer{status: http.StatusOK, body: raw}, now)
}

func (c *Connector) parseToken(raw map[string]any, a answer, now time.Time) (TokenResponse, error) {
	if !c.tokenSuccess(a) {
		return TokenResponse{}, c.classifyToken(a).failure(c.ID)
	}
	m := c.m.Token.Map
	root, access := c.tokenRoot(raw)
	if access == "" {
		return TokenResponse{}, fault.New(fault.ProviderError, "%s answered the token request without an access token", c.ID)
	}
	// RFC 6749, section 7.1: a token of a type that we do not know must not be used. These need a proof of possession that we
	// do not make; what else providers write there (Slack: "bot", "user") means a bearer token.
	if kind, _ := lookupText(root, "token_type"); slices.Contains([]string{"mac", "dpop", "pop"}, strings.ToLower(kind)) {
		return TokenResponse{}, fault.New(fault.ProviderError, "%s answered with a token of type %s, and only bearer tokens can be used", c.ID, strings.ToLower(kind)).With("reason", "token_type")
	}
	refresh, _ := lookupText(root, m.RefreshToken)
	t := TokenResponse{AccessToken: secret.FromString(access), RefreshToken: secret.FromString(refresh), Metadata: map[string]string{}}
	if scope := scopeText(root, m.Scope); scope != "" {
		t.Scopes, t.ScopesStated = c.SplitScopes(scope), true
	}
	if more, stated := c.grantedInLists(raw); stated {
		t.Scopes, t.ScopesStated = append(t.Scopes, more...), true
	}
	t.ExpiresAt = c.expiresFrom(root, m.ExpiresIn, now)
	t.RefreshExpiresAt = expiryAt(now, root, m.RefreshExpiresIn, c.Expiry.RefreshFormat)
	for name, path := range c.m.Token.Capture {
		if v, ok := lookupText(raw, path); ok && v != "" && len(v) <= maxMetadata {
			t.Metadata[name] = v
		}
	}
	t.Sets = c.tokenSets(raw, now)
	return t, c.checkCapturedHosts(t.Metadata)
}

// scopeText reads the scopes as RFC 6749 writes them, also where a provider answers with a list.
func scopeText(root any, path string) string {
	found, _ := lookup(root, path)
	if _, ok := found.([]any); !ok {
		text, _ := lookupText(root, path)
		return text
	}
	return strings.Join(texts(found), " ")
}

// tokenRoot picks the first object that holds an access token, so that access and refresh token never come from two.
func (c *Connector) tokenRoot(raw map[string]any) (root any, access string) {
	for _, path := range c.m.Token.Roots {
		if path == "." {
			path = ""
		}
		root, _ := lookup(raw, path)
		if s, _ := lookupText(root, c.m.Token.Map.AccessToken); s != "" {
			return root, s
		}
	}
	return nil, ""
}

// expiryAt reads the lifetime at path in its format; zero when it is absent or nonsense.
func expiryAt(now time.Time, root any, path, format string) time.Time {
	if format == ExpiresSeconds || format == "" {
		return after(now, root, path)
	}
	s, _ := lookupText(root, path)
	var at time.Time
	if format == ExpiresRFC3339 {
		at, _ = time.Parse(time.RFC3339, s)
	} else if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 && n < 1<<53 {
		switch format {
		case ExpiresMillis:
			at = now.Add(time.Duration(min(n, maxLifetime*1000)) * time.Millisecond)
		case ExpiresEpoch:
			at = time.Unix(n, 0)
		case ExpiresEpochMillis:
			at = time.UnixMilli(n)
		}
	}
	if at.IsZero() || at.Sub(now) > maxLifetime*time.Second {
		return time.Time{}
	}
	return at.UTC()
}

// after is now plus the seconds at path; zero when they are absent or nonsense.
func after(now time.Time, root any, path string) time.Time {
	s, ok := lookupText(root, path)
	if !ok {
		return time.Time{}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0 && n <= maxLifetime) {
		return time.Time{}
	}
	return now.Add(time.Duration(n) * time.Second)
}

// checkCapturedHosts refuses a bad host when it arrives, before it is stored; resolve checks again at each use.
func (c *Connector) checkCapturedHosts(meta map[string]string) error {
	for _, h := range c.hosts {
		if h.capture == "" || meta[h.capture] == "" {
			continue
		}
		if _, err := h.resolve(meta); err != nil {
			return err
		}
	}
	return nil
}

// decodeTokenBody reads JSON, and the form encoding or XML that some providers answer with; nil when it is none of them.
func decodeTokenBody(header http.Header, body []byte) any {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if media == "application/xml" || media == "text/xml" {
		return decodeXML(body)
	}
	if media != "application/x-www-form-urlencoded" {
		v, err := decodeJSON(body)
		if err == nil {
			return v
		}
		if media != "text/plain" {
			return nil
		}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil
	}
	raw := map[string]any{}
	for k := range form {
		raw[k] = form.Get(k)
	}
	return raw
}

// ParseIntrospection reads an RFC 7662 answer: whether the token is live, and when it expires (zero when not said). It
// returns fault.ProviderError when the answer says neither.
func (c *Connector) ParseIntrospection(status int, body []byte) (active bool, expiresAt time.Time, err error) {
	v, decodeErr := decodeJSON(body)
	doc, _ := v.(map[string]any)
	live, stated := doc["active"].(bool)
	if decodeErr != nil || status != http.StatusOK || !stated {
		return false, time.Time{}, fault.New(fault.ProviderError, "%s did not answer the introspection (status %d)", c.ID, status).
			With("provider_status", status).WithCause(decodeErr)
	}
	n, _ := doc["exp"].(json.Number)
	if sec, err := n.Int64(); err == nil && sec > 0 {
		expiresAt = time.Unix(sec, 0).UTC()
	}
	return live, expiresAt, nil
}
