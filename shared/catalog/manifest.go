package catalog

import (
	"fmt"
	"strconv"
)

// manifest is connector.yaml. connectors/schema/connector.schema.json says the same for editors; a test keeps both equal.
type manifest struct {
	ID          string                  `yaml:"id"`
	Name        string                  `yaml:"name"`
	Description string                  `yaml:"description"`
	DocsURL     string                  `yaml:"docs_url"`
	Hosts       map[string]hostSpec     `yaml:"hosts"`
	Fields      []fieldSpec             `yaml:"fields"`
	Auth        authSpec                `yaml:"auth"`
	Credential  *credentialSpec         `yaml:"credential"`
	Assertion   *assertionSpec          `yaml:"assertion"`
	Authorize   authorizeSpec           `yaml:"authorize"`
	Token       tokenSpec               `yaml:"token"`
	Refresh     refreshSpec             `yaml:"refresh"`
	Scopes      scopesSpec              `yaml:"scopes"`
	Expires     expiresSpec             `yaml:"expires"`
	Rotation    rotationSpec            `yaml:"rotation"`
	API         apiSpec                 `yaml:"api"`
	Errors      errorsSpec              `yaml:"errors"`
	Identity    *identitySpec           `yaml:"identity"`
	Introspect  *tokenCallSpec          `yaml:"introspect"`
	Callback    callbackSpec            `yaml:"callback"`
	PostConnect []postConnectSpec       `yaml:"post_connect"`
	Tokens      map[string]tokenSetSpec `yaml:"tokens"`
	Revoke      *revokeSpec             `yaml:"revoke"`
}

// hostSpec is a fixed base URL; or one with parameters, fields of the connection that stand in it; or a value captured
// from the token response, or a field, with the hosts it may name.
type hostSpec struct {
	URL     string            `yaml:"url"`
	Params  map[string]string `yaml:"params"`
	Capture string            `yaml:"capture"`
	Field   string            `yaml:"field"`
	Allow   []string          `yaml:"allow"`
	// Default is the host while nothing was captured.
	Default string `yaml:"default"`
}

// UnmarshalYAML accepts a string (a fixed host) or one of the other forms.
func (h *hostSpec) UnmarshalYAML(decode func(any) error) error {
	if decode(&h.URL) == nil {
		return nil
	}
	h.URL = ""
	type plain hostSpec
	return decode((*plain)(h))
}

type authSpec struct {
	Mode       AuthMode   `yaml:"mode"`
	ClientAuth ClientAuth `yaml:"client_auth"`
	PKCE       PKCE       `yaml:"pkce"`
	// ClientID and ClientSecret are templates over the fields, where each connection brings its own client.
	ClientID     string `yaml:"client_id"`
	ClientSecret string `yaml:"client_secret"`
	// ClientAssertion is where the assertion of private_key_jwt differs from RFC 7523.
	ClientAssertion *clientAssertionSpec `yaml:"client_assertion"`
	// MTLS lists where the client shows a TLS certificate.
	MTLS []string `yaml:"mtls"`
}

type authorizeSpec struct {
	URL             string            `yaml:"url"`
	Issuer          string            `yaml:"issuer"`
	Params          map[string]string `yaml:"params"`
	ParamRenames    map[string]string `yaml:"param_renames"`
	CodeParam       string            `yaml:"code_param"`
	FragmentRoute   string            `yaml:"fragment_route"`
	DropEmptyParams bool              `yaml:"drop_empty_params"`
	UnencodedScope  bool              `yaml:"unencoded_scope"`
}

type tokenSpec struct {
	URL          string            `yaml:"url"`
	Method       string            `yaml:"method"`
	Headers      map[string]string `yaml:"headers"`
	Format       string            `yaml:"format"`
	Params       map[string]string `yaml:"params"`
	ParamRenames map[string]string `yaml:"param_renames"`
	Omit         []string          `yaml:"omit"`
	Success      []condition       `yaml:"success"`
	Roots        []string          `yaml:"roots"`
	Map          tokenMap          `yaml:"map"`
	Capture      map[string]string `yaml:"capture"`
	ExtraSteps   []stepSpec        `yaml:"extra_steps"`
}

// refreshSpec is where a refresh differs from the exchange.
type refreshSpec struct {
	Kind       RefreshKind       `yaml:"kind"`
	URL        string            `yaml:"url"`
	Method     string            `yaml:"method"`
	Format     string            `yaml:"format"`
	Params     map[string]string `yaml:"params"`
	Include    []string          `yaml:"include"`
	Omit       []string          `yaml:"omit"`
	GrantType  string            `yaml:"grant_type"`
	TokenParam string            `yaml:"token_param"`
}

// tokenMap holds paths below the token object; each defaults to the RFC 6749 name.
type tokenMap struct {
	AccessToken      string `yaml:"access_token"`
	RefreshToken     string `yaml:"refresh_token"`
	ExpiresIn        string `yaml:"expires_in"`
	RefreshExpiresIn string `yaml:"refresh_expires_in"`
	Scope            string `yaml:"scope"`
}

type scopesSpec struct {
	Mode              string           `yaml:"mode"`
	Param             string           `yaml:"param"`
	Separator         string           `yaml:"separator"`
	ResponseSeparator string           `yaml:"response_separator"`
	Required          []string         `yaml:"required"`
	Default           []string         `yaml:"default"`
	Lists             []scopeListSpec  `yaml:"lists"`
	Known             map[string]Scope `yaml:"known"`
}

type expiresSpec struct {
	Mode    ExpiryMode `yaml:"mode"`
	Seconds int        `yaml:"seconds"`
	// Format of the field, for mode field.
	Format string `yaml:"format"`
	// RefreshFormat is that of the refresh token's expiry.
	RefreshFormat string `yaml:"refresh_format"`
}

type rotationSpec struct {
	Class              RotationClass `yaml:"class"`
	GraceSeconds       int           `yaml:"grace_seconds"`
	OldAccessTokenDies bool          `yaml:"old_access_token_dies"`
	KeepAliveSeconds   int           `yaml:"keepalive_seconds"`
	AbsoluteMaxSeconds int           `yaml:"absolute_max_seconds"`
}

type apiSpec struct {
	Base      string            `yaml:"base"`
	Headers   map[string]string `yaml:"headers"`
	Query     map[string]any    `yaml:"query"`
	Auth      apiAuthSpec       `yaml:"auth"`
	Success   []condition       `yaml:"success"`
	RateReset *resetSpec        `yaml:"rate_limit_reset"`
	// EncodedSlashes tells that the API takes %2F in a path for a part of a name.
	EncodedSlashes bool `yaml:"encoded_slashes"`
	// IdempotencyHeader takes an idempotency key on every write.
	IdempotencyHeader string `yaml:"idempotency_header"`
}

type apiAuthSpec struct {
	In     string `yaml:"in"`
	Header string `yaml:"header"`
	Param  string `yaml:"param"`
	Format string `yaml:"format"`
}

type resetSpec struct {
	Header string `yaml:"header"`
	Unit   string `yaml:"unit"`
}

type errorsSpec struct {
	Token dialectSpec `yaml:"token"`
	API   dialectSpec `yaml:"api"`
}

type dialectSpec struct {
	Dialect string `yaml:"dialect"`
	Code    string `yaml:"code"`
	Message string `yaml:"message"`
	Rules   []rule `yaml:"rules"`
}

type identitySpec struct {
	Request *identityRequestSpec `yaml:"request"`
	Map     map[string]string    `yaml:"map"`
	Capture map[string]string    `yaml:"capture"`
	Fixed   map[string]string    `yaml:"fixed"`
}

type identityRequestSpec struct {
	Method string         `yaml:"method"`
	URL    string         `yaml:"url"`
	Body   map[string]any `yaml:"body"`
}

type tokenCallSpec struct {
	Method string            `yaml:"method"`
	URL    string            `yaml:"url"`
	Auth   CallAuth          `yaml:"auth"`
	Token  TokenKind         `yaml:"token"`
	Param  string            `yaml:"param"`
	Format string            `yaml:"format"`
	Params map[string]string `yaml:"params"`
}

type revokeSpec struct {
	Method      string            `yaml:"method"`
	URL         string            `yaml:"url"`
	Auth        CallAuth          `yaml:"auth"`
	Token       TokenKind         `yaml:"token"`
	Param       string            `yaml:"param"`
	Format      string            `yaml:"format"`
	Params      map[string]string `yaml:"params"`
	Success     match             `yaml:"success"`
	AlreadyGone []match           `yaml:"already_gone"`
	BlastRadius BlastRadius       `yaml:"blast_radius"`
	// Effect is what is dead afterwards.
	Effect RevokeEffect `yaml:"effect"`
	// Manual stands alone: the provider has no call.
	Manual *manualSpec `yaml:"manual"`
}

func (r *revokeSpec) call() tokenCallSpec {
	return tokenCallSpec{Method: r.Method, URL: r.URL, Auth: r.Auth, Token: r.Token, Param: r.Param, Format: r.Format, Params: r.Params}
}

// values are the texts a scalar may equal; YAML may give one scalar or a list, of text, number or bool.
type values []string

// UnmarshalYAML accepts a scalar or a list of scalars.
func (v *values) UnmarshalYAML(decode func(any) error) error {
	var raw any
	if err := decode(&raw); err != nil {
		return err
	}
	list, ok := raw.([]any)
	if !ok {
		list = []any{raw}
	}
	for _, item := range list {
		switch s := item.(type) {
		case string:
			*v = append(*v, s)
		case bool:
			*v = append(*v, strconv.FormatBool(s))
		case uint64, int64, int:
			*v = append(*v, fmt.Sprint(s))
		default:
			return fmt.Errorf("want text, a whole number or true/false, or a list of them, got %v", item)
		}
	}
	return nil
}
