package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// Limits of a session's life.
const (
	DefaultSessionTTL = 15 * time.Minute
	MaxSessionTTL     = time.Hour
	minSessionTTL     = time.Minute
	// tokenType keeps a session token from being taken for any other JWT (RFC 8725, section 3.11).
	tokenType = "behalf-session+jwt"
	audience  = "behalf:agent"
	maxToken  = 8 << 10
	leeway    = 5 * time.Second
)

// Session is what one agent run may do: act for one principal of one tenant, with the named connectors and tools.
type Session struct {
	ID string
	tenant.Scope
	// OnBehalfOf is the user for whom a session of tenant.Org acts: it then reaches only connections whose access list holds
	// that user. Empty for every other principal, and for background jobs, which act for nobody.
	OnBehalfOf tenant.Principal `json:",omitempty"`
	// Connectors and Tools limit the session; empty means all that the principal has connected.
	Connectors, Tools []string
	// Agent names the agent; Run the run, for the audit trail.
	Agent, Run string
	// Parents are the sessions that this one was narrowed from, nearest first, and Actors their agents. Whoever ends one of
	// them ends this one.
	Parents, Actors []string
	Issued, Expires time.Time
}

// Allows reports whether the session may use the tool of the connector.
func (s Session) Allows(connector, tool string) bool {
	return (len(s.Connectors) == 0 || slices.Contains(s.Connectors, connector)) && (len(s.Tools) == 0 || slices.Contains(s.Tools, tool))
}

// TTL checks a requested life in seconds; zero asks for the default. It returns fault.InvalidInput.
func TTL(field string, seconds int) (time.Duration, error) {
	d := time.Duration(seconds) * time.Second
	switch {
	case seconds == 0:
		return DefaultSessionTTL, nil
	case d < minSessionTTL || d > MaxSessionTTL:
		return 0, fault.Invalid(field, "a session lives 60 to 3600 seconds")
	}
	return d, nil
}

type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	Tenant   string `json:"tid"`
	Behalf   string `json:"obo,omitempty"`
	Session  string `json:"sid"`
	// Parents are the sids of Session.Parents. They stand beside the actors and not within them because they decide about
	// access, and nested act claims must not (RFC 8693, section 4.1).
	Parents    []string `json:"parents,omitempty"`
	Actor      *actor   `json:"act"`
	Run        string   `json:"run_id,omitempty"`
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
	Issued     int64    `json:"iat"`
	NotBefore  int64    `json:"nbf"`
	Expires    int64    `json:"exp"`
}

// actor is RFC 8693's act claim: the agent acts, the subject is acted for. Act is who asked it to, on the narrowed
// session's parent.
type actor struct {
	Subject string `json:"sub"`
	Act     *actor `json:"act,omitempty"`
}

// actors nests the agents of a session, the acting one outermost.
func actors(s Session) *actor {
	var a *actor
	for _, name := range slices.Backward(append([]string{s.Agent}, s.Actors...)) {
		a = &actor{name, a}
	}
	return a
}

// names are the agents of a nested actor, the acting one first; at most one more than a session may have.
func (a *actor) names() (out []string) {
	for ; a != nil && len(out) <= MaxActors; a = a.Act {
		out = append(out, a.Subject)
	}
	return out
}

// Signer signs with the deployment's session key.
type Signer interface {
	// SignDigest returns the ASN.1 ECDSA signature of a SHA-256 digest.
	SignDigest(ctx context.Context, digest []byte) ([]byte, error)
	// PublicKey returns the public half and its key id.
	PublicKey(ctx context.Context) (*ecdsa.PublicKey, string, error)
}

// Mint signs a token for s. issuer is the deployment's public URL.
func Mint(ctx context.Context, signer Signer, issuer string, s Session, now time.Time) (secret.Text, error) {
	_, kid, err := signer.PublicKey(ctx)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read the session key: %w", err)
	}
	head, err := json.Marshal(map[string]string{"alg": "ES256", "typ": tokenType, "kid": kid})
	if err != nil {
		return secret.Text{}, err
	}
	body, err := json.Marshal(claims{Issuer: issuer, Audience: audience, Subject: string(s.Principal), Tenant: string(s.Tenant), Behalf: string(s.OnBehalfOf), Session: s.ID,
		Parents: s.Parents, Actor: actors(s), Run: s.Run, Connectors: s.Connectors, Tools: s.Tools, Issued: now.Unix(), NotBefore: now.Unix(), Expires: s.Expires.Unix()})
	if err != nil {
		return secret.Text{}, err
	}
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	digest := sha256.Sum256([]byte(input))
	der, err := signer.SignDigest(ctx, digest[:])
	if err != nil {
		return secret.Text{}, fmt.Errorf("sign the session: %w", err)
	}
	raw, err := rawSignature(der)
	if err != nil {
		return secret.Text{}, err
	}
	token := input + "." + b64.EncodeToString(raw)
	if len(token) > maxToken {
		return secret.Text{}, fault.Invalid("/tools", "so many connectors and tools do not fit a token of %d bytes; name fewer", maxToken)
	}
	return secret.FromString(token), nil
}

// rawSignature turns KMS's ASN.1 form into JWS's r‖s (RFC 7518, section 3.4).
func rawSignature(der []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("the signature is not ASN.1: %w", err)
	}
	out := make([]byte, 64)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}

// Verifier checks session tokens against the deployment's public keys, by key id.
type Verifier struct {
	Issuer string
	Keys   map[string]*ecdsa.PublicKey
	Now    func() time.Time
}

// Verify returns the session that token stands for. Every failure is fault.Unauthenticated; only expiry is told apart,
// because the caller can act on it.
func (v Verifier) Verify(token secret.Text) (Session, error) {
	bad := fault.New(fault.Unauthenticated, "the session token is not valid; create one with POST /v1/sessions")
	text := string(token.Reveal(reveal.Key{}))
	if len(text) > maxToken || strings.Count(text, ".") != 2 {
		return Session{}, fault.New(fault.Unauthenticated, "the bearer is neither an API key (bhf_key_…) nor a session token; a back end sends its key, an agent a token of POST /v1/sessions")
	}
	// The allowed algorithms are fixed here, so the token cannot choose "none" or HMAC (RFC 8725, section 3.1).
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return Session{}, bad.WithCause(err)
	}
	h := jws.Signatures[0].Protected
	key, ok := v.Keys[h.KeyID]
	if !ok || h.ExtraHeaders[jose.HeaderType] != tokenType {
		return Session{}, bad
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return Session{}, bad.WithCause(err)
	}
	var c claims
	// Unlike encoding/json this one tells "Tid" from "tid" and refuses a member that is named twice.
	if err := josejson.Unmarshal(payload, &c); err != nil {
		return Session{}, bad.WithCause(err)
	}
	return v.session(c, bad)
}

func (v Verifier) session(c claims, bad *fault.Error) (Session, error) {
	now := v.Now()
	exp, agents := time.Unix(c.Expires, 0), c.Actor.names()
	switch {
	case c.Issuer != v.Issuer || c.Audience != audience || c.Session == "":
		return Session{}, bad
	case len(agents) == 0 || len(agents) > MaxActors || len(agents) != len(c.Parents)+1:
		return Session{}, bad
	case now.Add(leeway).Before(time.Unix(c.NotBefore, 0)) || now.Add(leeway).Before(time.Unix(c.Issued, 0)):
		return Session{}, bad
	case exp.Sub(time.Unix(c.Issued, 0)) > MaxSessionTTL:
		return Session{}, bad
	case !now.Before(exp):
		return Session{}, fault.New(fault.Unauthenticated, "the session expired at %s; create a new one with POST /v1/sessions", exp.UTC().Format(time.RFC3339))
	}
	t, err := tenant.Parse("tid", c.Tenant)
	if err != nil {
		return Session{}, bad.WithCause(err)
	}
	p, err := tenant.ParsePrincipal("sub", c.Subject)
	if err != nil {
		return Session{}, bad.WithCause(err)
	}
	obo, err := ParseBehalf("obo", p, c.Behalf)
	if err != nil {
		return Session{}, bad.WithCause(err)
	}
	return Session{ID: c.Session, Scope: tenant.Scope{Tenant: t, Principal: p}, OnBehalfOf: obo, Connectors: c.Connectors, Tools: c.Tools, Agent: agents[0], Run: c.Run,
		Parents: c.Parents, Actors: agents[1:], Issued: time.Unix(c.Issued, 0), Expires: exp}, nil
}

// ParseBehalf checks whom a session of p acts on behalf of: nobody, or a user for whom the tenant itself does. It returns
// fault.InvalidInput about field.
func ParseBehalf(field string, p tenant.Principal, behalf string) (tenant.Principal, error) {
	if behalf == "" {
		return "", nil
	}
	obo, err := tenant.ParsePrincipal(field, behalf)
	if err != nil {
		return "", err
	}
	if p != tenant.Org || obo == tenant.Org {
		return "", fault.Invalid(field, "only a session of \"_org\" acts on behalf of a user")
	}
	return obo, nil
}

// Behalf is the scope of the user that s acts on behalf of; false when there is none.
func (s Session) Behalf() (tenant.Scope, bool) {
	return tenant.Scope{Tenant: s.Tenant, Principal: s.OnBehalfOf}, s.OnBehalfOf != ""
}

// JWKS is the public key set document (RFC 7517, section 5).
func JWKS(keys map[string]*ecdsa.PublicKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for kid, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k, KeyID: kid, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return json.Marshal(set)
}
