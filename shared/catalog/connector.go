package catalog

import (
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"sync"
)

// Connector is one provider. It does not change after Load and is safe for concurrent use.
type Connector struct {
	ID, Name, Description, DocsURL string
	// Issuer is what the provider sends as "iss" with every authorization response (RFC 9207); empty when it promises none.
	Issuer string
	// CodeParam is the parameter of an authorization response that holds the code.
	CodeParam string

	// Mode is the kind of credential. Fields are what a connection is asked for beside consent, in order.
	Mode   AuthMode
	Fields []Field

	// ClientAuth and PKCE are stated by the manifest and never probed: a probe sends a one-time code twice.
	ClientAuth ClientAuth
	PKCE       PKCE
	Scopes     Scopes
	Rotation   Rotation
	Expiry     Expiry
	// APIAuth says how an API call carries the access token.
	APIAuth AuthHeader

	m        manifest
	hosts    map[string]host
	urls     map[string]template       // authorize, token, api, identity, introspect, revoke
	captures map[string]*regexp.Regexp // of callback.capture
	fixed    map[string]*regexp.Regexp // captured values that name the account; nil is the whole value
	fsys     fs.FS
	toolOnce sync.Once
	tools    []*Tool
	toolErr  error
}

// ClientAuth is how the OAuth client proves itself at the token endpoint (RFC 6749, section 2.3.1; names of RFC 7591).
type ClientAuth string

// The client authentication methods.
const (
	ClientAuthBasic ClientAuth = "client_secret_basic"
	ClientAuthPost  ClientAuth = "client_secret_post"
	ClientAuthNone  ClientAuth = "none"
	// ClientAuthAsUsername is the secret alone, as the user name of HTTP Basic: Stripe Apps.
	ClientAuthAsUsername ClientAuth = "client_secret_as_username"
	// ClientAuthTLS is the client's certificate (RFC 8705, section 2); the request holds the client id.
	ClientAuthTLS ClientAuth = "tls_client_auth"
	// ClientAuthPrivateKey is an assertion signed with the client's key (RFC 7523, section 2.2).
	ClientAuthPrivateKey ClientAuth = "private_key_jwt"
)

// PKCE says whether to send a code challenge (RFC 7636, S256).
type PKCE string

// The PKCE policies: the provider demands it, accepts it, or rejects it.
const (
	PKCERequired PKCE = "required"
	PKCEUse      PKCE = "use"
	PKCENever    PKCE = "never"
)

// Rotation is what a refresh does to the tokens before it.
type Rotation struct {
	Class RotationClass
	// GraceSeconds is how long a used refresh token still works; only class grace has one.
	GraceSeconds int
	// OldAccessTokenDies tells that calls in flight during a refresh see one 401: retry with the new token, do not refresh.
	OldAccessTokenDies bool
	// KeepAliveSeconds is how long after the last refresh an idle connection is refreshed, to stay below the provider's
	// idle limit; 0 means that there is none.
	KeepAliveSeconds int
	// AbsoluteMaxSeconds is how long after consent a grant dies whatever is done; 0 means no such limit.
	AbsoluteMaxSeconds int
}

// RotationClass decides lease and retry of a refresh.
type RotationClass string

// The rotation classes: no refresh token at all; the refresh token stays the same; the used one works for GraceSeconds
// more; the used one is dead at once.
const (
	RotationNone   RotationClass = "none"
	RotationStatic RotationClass = "static"
	RotationGrace  RotationClass = "grace"
	RotationStrict RotationClass = "strict"
)

// Expiry is how the lifetime of an access token is known.
type Expiry struct {
	Mode ExpiryMode
	// Seconds is the declared lifetime: of mode fixed, and of mode introspect until the introspection answered.
	Seconds int
	// Format is how mode field tells it: ExpiresSeconds from now, or another of the formats.
	Format string
	// RefreshFormat is how the refresh token's end is told, where it is.
	RefreshFormat string
}

// The formats of an expiry field: seconds or milliseconds from now; a point in time as seconds or milliseconds since 1970, or
// as RFC 3339.
const (
	ExpiresSeconds     = "seconds"
	ExpiresMillis      = "milliseconds"
	ExpiresEpoch       = "epoch_seconds"
	ExpiresEpochMillis = "epoch_milliseconds"
	ExpiresRFC3339     = "rfc3339"
)

var expiryFormats = []string{ExpiresSeconds, ExpiresMillis, ExpiresEpoch, ExpiresEpochMillis, ExpiresRFC3339}

// ExpiryMode names where the lifetime comes from.
type ExpiryMode string

// The expiry modes: expires_in of the token response; always Seconds; ask Connector.IntrospectRequest; unknown until the
// API answers 401; tokens do not expire.
const (
	ExpiryField      ExpiryMode = "field"
	ExpiryFixed      ExpiryMode = "fixed"
	ExpiryIntrospect ExpiryMode = "introspect"
	ExpiryOn401      ExpiryMode = "on_401"
	ExpiryNever      ExpiryMode = "never"
)

// AuthHeader is how a credential is put into a request.
type AuthHeader struct {
	// Name of the header, "Authorization" unless the provider differs; or of the query parameter.
	Name string
	// Format holds {token}, as in "Bearer {token}".
	Format string
	// Query puts it into the query instead of a header: the request's URL is a secret then.
	Query bool
	// Base64 encodes it first (RFC 7617).
	Base64 bool
	// Certified tells that the access token is one of Connector.Certify: the connection shows the client's certificate.
	Certified bool
}

// TokenURL is the token endpoint, for the code exchange and for refreshes.
func (c *Connector) TokenURL(meta map[string]string) (string, error) {
	u, err := c.url("token", meta, meta)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// RefreshURL is where refresh tokens are sent: the token endpoint, unless the provider has another one for them.
func (c *Connector) RefreshURL(meta map[string]string) (string, error) {
	if c.m.Refresh.URL == "" {
		return c.TokenURL(meta)
	}
	u, err := c.url("refresh", meta, meta)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// ProxyURL is the address of an API call that no tool covers: path below the connector's API base. It returns
// fault.InvalidInput for a path that could leave the base.
func (c *Connector) ProxyURL(path string, query url.Values, meta map[string]string) (*url.URL, error) {
	u, err := c.url("api", meta, nil)
	if err != nil {
		return nil, err
	}
	if err := appendPath(u, path, c.m.API.EncodedSlashes); err != nil {
		return nil, err
	}
	all, err := formValues(c.m.API.Query, given{meta: meta})
	if err != nil {
		return nil, err
	}
	for name, values := range query {
		all[name] = values
	}
	u.RawQuery = all.Encode()
	return u, nil
}

// APIHeader are the headers of every API call (Accept, API version, what names the customer's site), without the credential.
// It returns fault.ProviderError when the connection lacks a value.
func (c *Connector) APIHeader(meta map[string]string) (http.Header, error) {
	h, err := c.expandAll(c.m.API.Headers, requestRefs{meta: meta})
	return headers(map[string]string{"Accept": "application/json"}, h), err
}

// earlyHeader are the headers of calls about the account itself, which are made while not everything about it is known: what
// cannot be filled in is left out.
func (c *Connector) earlyHeader(meta map[string]string) http.Header {
	h, _ := c.expandAll(c.m.API.Headers, requestRefs{meta: meta, drop: true}) // nothing is missed
	return headers(map[string]string{"Accept": "application/json"}, h)
}

func headers(sets ...map[string]string) http.Header {
	h := http.Header{}
	for _, set := range sets {
		for k, v := range set {
			h.Set(k, v)
		}
	}
	return h
}
