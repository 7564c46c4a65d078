package authn

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Issuer is a tenant's OpenID provider: who may say, by a signed token, which of its users an agent acts for.
type Issuer struct {
	// Issuer is the exact iss of its tokens; Audience must be among their aud.
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	// PrincipalClaim is the claim that holds the principal ("sub").
	PrincipalClaim string `json:"principal_claim"`
	// JWKSURI is where its keys are, as given or as its discovery document says.
	JWKSURI string    `json:"jwks_uri"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
	// Version is the store's.
	Version uint64 `json:"-"`
}

// claimName allows the names that providers use, URLs among them.
var claimName = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,128}$`)

// Doer sends requests; in production egress's guarded client, which follows no redirects.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Issuers verifies the tokens of tenants' issuers. It keeps their keys and is safe for concurrent use.
type Issuers struct {
	http  Doer
	plain bool
	now   func() time.Time
	keys  keySets
}

// NewIssuers returns Issuers over a client. plain lets issuers be reached without TLS on loopback: the local stack's.
func NewIssuers(client Doer, plain bool, now func() time.Time) *Issuers {
	return &Issuers{http: client, plain: plain, now: now, keys: keySets{kept: map[setKey]keySet{}}}
}

// Resolve checks a new setting before it is stored: the issuer's discovery document is read (OpenID Connect Discovery
// 1.0, section 4) unless JWKSURI is given, and its keys are. It returns fault.InvalidInput that names the field, or a
// fault.ProviderError worth retrying when the issuer does not answer.
func (v *Issuers) Resolve(ctx context.Context, t tenant.ID, i Issuer) (Issuer, error) {
	if err := v.checkURL("/issuer", i.Issuer); err != nil {
		return i, err
	}
	if i.Audience == "" || len(i.Audience) > 256 || strings.ContainsAny(i.Audience, " \t\r\n") {
		return i, fault.Invalid("/audience", "audience is the client id or API identifier that the tokens are made for, in 1 to 256 bytes")
	}
	if i.PrincipalClaim == "" {
		i.PrincipalClaim = "sub"
	}
	if !claimName.MatchString(i.PrincipalClaim) {
		return i, fault.Invalid("/principal_claim", "principal_claim names one claim of the token, such as sub, oid or email")
	}
	field := "/jwks_uri"
	if i.JWKSURI == "" {
		var err error
		if i.JWKSURI, err = v.discover(ctx, i.Issuer); err != nil {
			return i, err
		}
		field = "/issuer"
	}
	if err := v.checkURL(field, i.JWKSURI); err != nil {
		return i, err
	}
	set, err := v.fetchKeys(ctx, field, i.JWKSURI)
	if err != nil {
		return i, err
	}
	v.keys.keep(setKey{t, i.JWKSURI}, keySet{keys: set, fetched: v.now()})
	return i, nil
}

// discover reads where the issuer's keys are.
func (v *Issuers) discover(ctx context.Context, issuer string) (string, error) {
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	at := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	if err := v.fetch(ctx, "/issuer", at, &doc); err != nil {
		return "", err
	}
	if doc.Issuer != issuer {
		return "", fault.Invalid("/issuer", "the discovery document calls its issuer %q; give exactly that, to the last character, if it is the one you mean", clip(doc.Issuer)).With("reason", "issuer_differs")
	}
	if doc.JWKSURI == "" {
		return "", fault.Invalid("/issuer", "the discovery document has no jwks_uri; give jwks_uri yourself").With("reason", "no_jwks_uri")
	}
	return doc.JWKSURI, nil
}

// checkURL wants https, with nothing in it that an issuer identifier may not have (OpenID Connect Core 1.0, section 2). A
// jwks_uri may have a query.
func (v *Issuers) checkURL(field, s string) error {
	u, err := url.Parse(s)
	bad := err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || len(s) > 512 || field == "/issuer" && u.RawQuery != ""
	local := !bad && u.Scheme == "http" && v.plain && loopback(u.Hostname())
	if bad || u.Scheme != "https" && !local {
		return fault.Invalid(field, "%s is an https URL without credentials and fragment, in at most 512 bytes", strings.TrimPrefix(field, "/"))
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
