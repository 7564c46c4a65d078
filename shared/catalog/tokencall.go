package catalog

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/clientcert"
)

// TokenCall is a call about a token (revoke, introspect), without credentials.
type TokenCall struct {
	Method string
	URL    *url.URL
	Header http.Header
	// Auth says which credential authenticates the call.
	Auth CallAuth
	// Token says which token the call is about.
	Token TokenKind
	// Param is the body field that carries the token; empty when the bearer header is the token.
	Param string
	// Format of the body: "form", "json", or "" for none; "query" puts Param and what goes with it into the query.
	Format string

	clientID string
	// params go with Param; inPath tells that the token is a segment of the path.
	params map[string]string
	inPath bool
}

// CallAuth is how a TokenCall is authenticated.
type CallAuth string

// The ways to authenticate a TokenCall: client id and secret as HTTP Basic; both in the form body; the access token as
// the connector's API carries it; nothing.
const (
	CallAuthClientBasic CallAuth = "client_basic"
	CallAuthClientPost  CallAuth = "client_post"
	CallAuthBearer      CallAuth = "bearer"
	CallAuthNone        CallAuth = "none"
	// CallAuthClientBearer is the client secret as bearer token: Stripe's secret key.
	CallAuthClientBearer CallAuth = "client_bearer"
)

// TokenKind names one of a connection's tokens.
type TokenKind string

// The tokens.
const (
	TokenAccess  TokenKind = "access"
	TokenRefresh TokenKind = "refresh"
	// TokenBoth is a call about each, TokenNone one about the account.
	TokenBoth TokenKind = "both"
	TokenNone TokenKind = "none"
)

// RevokeEffect is what is dead after a revocation.
type RevokeEffect string

// The effects: the token that was sent and nothing else, so that another token of the connection lives on until it is forgotten
// here; both tokens; the whole authorisation.
const (
	EffectToken  RevokeEffect = "token"
	EffectTokens RevokeEffect = "tokens"
	EffectGrant  RevokeEffect = "grant"
)

// BlastRadius is what else dies with a revocation. Count who shares it before revoking.
type BlastRadius string

// The blast radii: this token; the whole authorisation of this user for this client on this account; every
// authorisation of this user for this client; everybody's in the provider tenant.
const (
	BlastToken BlastRadius = "token"
	BlastGrant BlastRadius = "grant"
	BlastUser  BlastRadius = "user"
	BlastTeam  BlastRadius = "team"
)

// RevokeSpec is the provider-side revocation of a connection.
type RevokeSpec struct {
	TokenCall
	BlastRadius BlastRadius
	Effect      RevokeEffect
}

// RevokeRequest is how to revoke; false when the provider has no such call, so that only the user can remove the grant.
// The error is that of a captured host that is missing or not allowed.
func (c *Connector) RevokeRequest(meta map[string]string, clientID string) (RevokeSpec, bool, error) {
	if c.m.Revoke == nil || c.m.Revoke.Manual != nil {
		return RevokeSpec{}, false, nil
	}
	call, err := c.tokenCall("revoke", c.m.Revoke.call(), meta, clientID)
	return RevokeSpec{call, c.m.Revoke.BlastRadius, c.m.Revoke.Effect}, err == nil, err
}

// IntrospectRequest is how to ask for a token's expiry (RFC 7662); false when the connector has none.
func (c *Connector) IntrospectRequest(meta map[string]string, clientID string) (TokenCall, bool, error) {
	if c.m.Introspect == nil {
		return TokenCall{}, false, nil
	}
	call, err := c.tokenCall("introspect", *c.m.Introspect, meta, clientID)
	return call, err == nil, err
}

func (c *Connector) tokenCall(which string, s tokenCallSpec, meta map[string]string, clientID string) (TokenCall, error) {
	u, err := c.url(which, meta, map[string]string{"client_id": clientID, "token": tokenMark})
	if err != nil {
		return TokenCall{}, err
	}
	call := TokenCall{Method: s.Method, URL: u, Header: c.earlyHeader(meta), Auth: s.Auth, Token: s.Token, Param: s.Param, Format: s.Format, clientID: clientID,
		inPath: slices.Contains(c.urls[which].vars, "token")}
	return call, call.fill(s.Params, meta)
}

// HTTP builds the request. token is the one that Token names, bearer the access token when Auth is bearer, secret the
// client secret when Auth uses the client; each is ignored otherwise. The caller owns the wire and its logs.
func (s TokenCall) HTTP(ctx context.Context, auth AuthHeader, secret, bearer, token []byte) (*http.Request, error) {
	fields := url.Values{}
	_, cert := auth.open(bearer)
	token, _ = auth.open(token)
	for name, v := range s.params {
		fields.Set(name, v)
	}
	if s.Param != "" {
		fields.Set(s.Param, string(token))
	}
	if s.Auth == CallAuthClientPost {
		fields.Set("client_id", s.clientID)
		fields.Set("client_secret", string(secret))
	}
	body, contentType, err := s.body(fields)
	if err != nil {
		return nil, err
	}
	to := s.address(fields, token)
	req, err := http.NewRequestWithContext(ctx, s.Method, to.String(), bytes.NewReader(body))
	if err != nil { // its text holds the address
		return nil, errors.New("a call about a token could not be built")
	}
	req = req.WithContext(clientcert.With(req.Context(), cert))
	req.Header = s.Header.Clone()
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	switch s.Auth {
	case CallAuthClientBasic: // both parts form-encoded, RFC 6749 section 2.3.1
		req.SetBasicAuth(url.QueryEscape(s.clientID), url.QueryEscape(string(secret)))
	case CallAuthBearer:
		auth.Put(req, bearer)
	case CallAuthClientBearer:
		req.Header.Set("Authorization", "Bearer "+string(secret))
	}
	return req, nil
}

func (s TokenCall) body(fields url.Values) (body []byte, contentType string, err error) {
	switch s.Format {
	case formatForm:
		return []byte(fields.Encode()), "application/x-www-form-urlencoded", nil
	case formatJSON:
		doc := map[string]string{}
		for k := range fields {
			doc[k] = fields.Get(k)
		}
		body, err = encodeJSON(doc)
		return body, "application/json", err
	}
	return nil, "", nil
}

// Value is what stands in the header or query for a token.
func (a AuthHeader) Value(token []byte) string {
	token, _ = a.open(token)
	t := string(token)
	if a.Base64 {
		t = base64.StdEncoding.EncodeToString(token)
	}
	return strings.Replace(a.Format, "{token}", t, 1)
}

// Put writes a token into a request, and has its connection show the certificate that belongs to it.
func (a AuthHeader) Put(r *http.Request, token []byte) {
	token, cert := a.open(token)
	*r = *r.WithContext(clientcert.With(r.Context(), cert))
	if !a.Query {
		r.Header.Set(a.Name, a.Value(token))
		return
	}
	q := r.URL.Query()
	q.Set(a.Name, a.Value(token))
	r.URL.RawQuery = q.Encode()
}

// Parts are the secrets in a token, each of which must not come back in an answer: the token, and the password of a user
// and password.
func (a AuthHeader) Parts(token []byte) [][]byte {
	token, _ = a.open(token)
	_, password, pair := bytes.Cut(token, []byte(":"))
	if !a.Base64 || !pair {
		return [][]byte{token}
	}
	return [][]byte{token, password}
}

// ParseRevoke judges the answer to a revocation. ok is true when the credential is dead now, also when it was already;
// summary says what the provider answered, for the report and the audit.
func (c *Connector) ParseRevoke(status int, header http.Header, body []byte) (ok bool, summary string) {
	if c.m.Revoke == nil {
		return false, "the provider has no revocation call"
	}
	a := answer{status: status, header: header, body: readBody(body)}
	if a.matches(c.m.Revoke.Success) {
		return true, fmt.Sprintf("revoked (%d)", status)
	}
	o := c.ClassifyAPIResponse(status, header, body)
	if o.Kind == OutcomeOK {
		o.Reason = "not confirmed"
	}
	for _, gone := range c.m.Revoke.AlreadyGone {
		if a.matches(gone) {
			return true, fmt.Sprintf("the provider no longer knows this token (%d)", status)
		}
	}
	return false, fmt.Sprintf("refused (%d, %s)", status, o.Reason)
}
