package authn

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// The types of subject token (RFC 8693, section 3).
const (
	TypeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
	TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	TypeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

const (
	maxAssertion    = 16 << 10
	assertionLeeway = time.Minute
	// maxAssertionAge is how long ago a token may have been issued, whatever its exp says: it stands for a user who is
	// here now.
	maxAssertionAge = time.Hour
)

// assertionAlgorithms are fixed here, so that no token chooses "none", or HMAC under a public key (RFC 8725, 3.1).
func assertionAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256}
}

// Assertion is a token by which a tenant's issuer says who its user is.
type Assertion struct {
	Token secret.Text
	// Type is one of the constants above; empty is TypeJWT.
	Type string
}

// assertionClaims are the claims that decide. Times are seconds, and may be fractions (RFC 7519, section 2).
type assertionClaims struct {
	all                        map[string]json.RawMessage
	issuer, authorized         string
	audience                   jsonStrings
	expires, notBefore, issued *float64
}

// readClaims takes claims by their exact names. Decoding into a struct would match "AUD" as well, and a claim that users may
// choose must not stand for one that decides.
func readClaims(payload []byte) (c assertionClaims, err error) {
	if err = json.Unmarshal(payload, &c.all); err == nil {
		for name, into := range map[string]any{"iss": &c.issuer, "aud": &c.audience, "azp": &c.authorized, "exp": &c.expires, "nbf": &c.notBefore, "iat": &c.issued} {
			if raw, ok := c.all[name]; ok && err == nil {
				err = json.Unmarshal(raw, into)
			}
		}
	}
	if err != nil {
		return c, refused("malformed", "the claims of subject_token cannot be read").WithCause(err)
	}
	return c, nil
}

// Verify returns the principal that a names, according to t's issuer. Errors are fault.InvalidInput about
// "/subject_token", with a reason, or fault.ProviderError worth retrying when the issuer's keys cannot be read.
func (v *Issuers) Verify(ctx context.Context, t tenant.ID, i Issuer, a Assertion) (tenant.Principal, error) {
	text := string(a.Token.Reveal(reveal.Key{}))
	if len(text) > maxAssertion || strings.Count(text, ".") != 2 {
		return "", refused("malformed", "subject_token is no signed JWT of at most %d bytes", maxAssertion)
	}
	jws, err := jose.ParseSignedCompact(text, assertionAlgorithms())
	if err != nil {
		return "", refused("malformed", "subject_token is no JWT that is signed by RS256, PS256 or ES256").WithCause(err)
	}
	head := jws.Signatures[0].Protected
	if err := checkType(a.Type, head); err != nil {
		return "", err
	}
	// Whose token it is, before its issuer is asked for a key that it cannot have.
	unproven, err := readClaims(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return "", err
	}
	if unproven.issuer != i.Issuer {
		return "", refused("wrong_issuer", "subject_token was not issued by this tenant's issuer, %s", i.Issuer)
	}
	payload, err := v.proven(ctx, t, i, jws, head)
	if err != nil {
		return "", err
	}
	c, err := readClaims(payload)
	if err != nil {
		return "", err
	}
	if err := c.check(i, a.Type, v.now()); err != nil {
		return "", err
	}
	return c.principal(i.PrincipalClaim)
}

// proven is the payload, once a key of the issuer has verified it.
func (v *Issuers) proven(ctx context.Context, t tenant.ID, i Issuer, jws *jose.JSONWebSignature, head jose.Header) ([]byte, error) {
	keys, fresh, err := v.signers(ctx, t, i.JWKSURI, head)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		unknown := refused("unknown_key", "subject_token is signed by a key that its issuer does not publish at %s", i.JWKSURI)
		if !fresh {
			return nil, unknown.WithRetryAfter(refetchAfter) // a key that appeared since we looked is found then
		}
		return nil, unknown
	}
	for _, k := range keys {
		if payload, err := jws.Verify(k.Key); err == nil {
			return payload, nil
		}
	}
	return nil, refused("bad_signature", "the signature of subject_token is not that of its issuer")
}

// checkType keeps tokens made for other purposes out (RFC 8725, section 3.11): an access token is no ID token, a session or
// logout token is neither.
func checkType(wanted string, h jose.Header) error {
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	access := typ == "at+jwt"
	plain := typ == "" || typ == "jwt"
	ok := false
	switch wanted {
	case TypeIDToken:
		ok = plain
	case TypeAccessToken, TypeJWT, "":
		ok = plain || access
	default:
		return fault.Invalid("/subject_token_type", "subject_token_type is %s, %s or %s", TypeIDToken, TypeAccessToken, TypeJWT)
	}
	if !ok {
		return refused("wrong_type", "subject_token is a token of another type")
	}
	return nil
}

// check is OpenID Connect Core 1.0, section 3.1.3.7, and RFC 9068, section 4.
func (c assertionClaims) check(i Issuer, wanted string, now time.Time) error {
	switch {
	case c.issuer != i.Issuer:
		return refused("wrong_issuer", "subject_token was not issued by this tenant's issuer, %s", i.Issuer)
	case !slices.Contains(c.audience, i.Audience):
		return refused("wrong_audience", "subject_token is made for another audience than %s", i.Audience)
	case wanted == TypeIDToken && len(c.audience) > 1 && c.authorized != i.Audience:
		return refused("wrong_audience", "subject_token has several audiences and was not issued to %s (azp)", i.Audience)
	case c.all["events"] != nil: // a security event or logout token (RFC 8417, section 2.2)
		return refused("wrong_type", "subject_token is a token of another type")
	case c.expires == nil || c.issued == nil:
		return refused("no_time", "subject_token lacks exp or iat")
	}
	exp, iat := instant(*c.expires), instant(*c.issued)
	switch {
	case !now.Before(exp.Add(assertionLeeway)):
		return refused("expired", "subject_token expired; get a fresh one from %s", i.Issuer)
	case iat.After(now.Add(assertionLeeway)), c.notBefore != nil && instant(*c.notBefore).After(now.Add(assertionLeeway)):
		return refused("not_yet_valid", "subject_token is not valid yet; compare the clocks")
	case now.Sub(iat) > maxAssertionAge+assertionLeeway:
		return refused("too_old", "subject_token was issued more than an hour ago; get a fresh one from %s", i.Issuer)
	}
	return nil
}

// instant reads a NumericDate. What is no date of this millennium counts as the first or the last one.
func instant(seconds float64) time.Time {
	return time.Unix(int64(min(max(seconds, 0), 1<<36)), 0)
}

// principal reads the claim that names the user. An issuer speaks for users: "_org", which stands for the tenant, cannot
// be claimed.
func (c assertionClaims) principal(claim string) (tenant.Principal, error) {
	var name string
	if err := json.Unmarshal(c.all[claim], &name); err != nil || name == "" {
		return "", refused("no_principal", "subject_token has no text in the claim %q, which names the principal", claim)
	}
	// A user may type an address; only a verified one is theirs.
	if claim == "email" && string(c.all["email_verified"]) != "true" {
		return "", refused("email_not_verified", "subject_token does not say that the address is verified (email_verified); choose another principal_claim, such as sub")
	}
	p, err := tenant.ParsePrincipal("/subject_token", name)
	if err != nil || p == tenant.Org {
		return "", refused("no_principal", "the claim %q of subject_token is no principal", claim).WithCause(err)
	}
	return p, nil
}

func refused(reason, format string, args ...any) *fault.Error {
	return fault.Invalid("/subject_token", format, args...).With("reason", reason)
}

// jsonStrings is a list of strings, or a single one (RFC 7519, section 4.1.3).
type jsonStrings []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *jsonStrings) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*s = jsonStrings{""}
		return json.Unmarshal(b, &(*s)[0])
	}
	return json.Unmarshal(b, (*[]string)(s))
}
