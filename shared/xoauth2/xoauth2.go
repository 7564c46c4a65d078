// Package xoauth2 speaks to token endpoints: through golang.org/x/oauth2 for what people consent to, and with signed
// assertions (go-jose) for connections that mint.
//
// It adapts that library to what the services ask for, and fences off three of its habits: the client authentication
// style is always stated, since detecting it sends a one-time credential twice; no TokenSource is used, since it would
// refresh by itself and keep rotated tokens in memory; RetrieveError, whose text holds the raw answer, never leaves this
// package.
package xoauth2

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"golang.org/x/oauth2"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/clientcert"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// Endpoint is every connector's token endpoint.
type Endpoint struct {
	client *http.Client
	now    func() time.Time
}

// New returns an Endpoint that sends through client, which must be guarded (egress.Client.HTTP).
func New(client *http.Client, now func() time.Time) *Endpoint { return &Endpoint{client, now} }

// exchangeTimeout leaves time for the rest of a confirmation, which API Gateway cuts off after 29 s.
const exchangeTimeout = 15 * time.Second

// Exchange redeems an authorization code (RFC 6749, section 4.1.3; RFC 7636, section 4.5 when verifier is given). The
// code is sent once. Errors are fault.ProviderError, or what the provider's answer is classified as.
func (e *Endpoint) Exchange(ctx context.Context, c *catalog.Connector, client connection.Client, r connection.Redemption) (connection.Tokens, error) {
	t, _, err := e.exchange(ctx, c, client, r)
	return t, err
}

func (e *Endpoint) exchange(ctx context.Context, c *catalog.Connector, client connection.Client, r connection.Redemption) (connection.Tokens, catalog.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	call := e.call(c, client, r.Metadata)
	conf, err := config(c, client, r.Metadata)
	if err != nil {
		return connection.Tokens{}, catalog.Outcome{}, err
	}
	conf.RedirectURL = r.RedirectURI
	var opts []oauth2.AuthCodeOption
	if !r.Verifier.IsZero() {
		opts = append(opts, oauth2.VerifierOption(string(r.Verifier.Reveal(reveal.Key{}))))
	}
	_, err = conf.Exchange(call.context(ctx), string(r.Code.Reveal(reveal.Key{})), opts...)
	t, out, err := call.read(err)
	if err != nil {
		return t, out, err
	}
	t, err = e.complete(ctx, c, client, c.ExtraSteps(false), t, secret.Text{}, r.Metadata)
	if err != nil {
		return t, out, err
	}
	t, err = keepFor(c, t) // of the token that the steps made
	return t, out, err
}

// Refresh makes an access token of what a connection keeps for it: of a refresh token with the refresh_token grant (RFC
// 6749, section 6), once; of a seed by minting. Any error is a *refresh.EndpointError.
func (e *Endpoint) Refresh(ctx context.Context, c *catalog.Connector, client connection.Client, token secret.Text, metadata map[string]string) (connection.Tokens, error) {
	switch {
	case c.Mode.Mints():
		t, err := e.mint(ctx, c, client, token, metadata)
		if err != nil {
			return t, err
		}
		t.Sets = nil
		return e.completeRefresh(ctx, c, client, t, secret.Text{}, metadata)
	case c.RefreshKind() != catalog.RefreshWithToken:
		return e.renew(ctx, c, client, token, metadata)
	}
	call := e.call(c, client, metadata)
	call.renews = true
	conf, err := config(c, client, metadata)
	if err == nil {
		conf.Endpoint.TokenURL, err = c.RefreshURL(metadata)
	}
	if err != nil {
		return connection.Tokens{}, &refresh.EndpointError{Err: err}
	}
	src := conf.TokenSource(call.context(ctx), &oauth2.Token{RefreshToken: string(token.Reveal(reveal.Key{}))})
	_, err = src.Token()
	t, out, err := call.read(err)
	if err != nil {
		return t, &refresh.EndpointError{Outcome: out, Sent: call.sent, Err: err}
	}
	t.Sets = nil // a refresh is of one token
	return e.completeRefresh(ctx, c, client, t, token, metadata)
}

func config(c *catalog.Connector, client connection.Client, metadata map[string]string) (*oauth2.Config, error) {
	to, err := c.TokenURL(metadata)
	if err != nil {
		return nil, err
	}
	style := oauth2.AuthStyleInParams // client_secret_post, and none: the client id alone
	if c.ClientAuth == catalog.ClientAuthBasic {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: client.ID, ClientSecret: string(client.Secret.Reveal(reveal.Key{})), Endpoint: oauth2.Endpoint{TokenURL: to, AuthStyle: style}}, nil
}

// call is one request to a token endpoint: it adds the connector's headers and keeps the answer, since the library
// hands out only what RFC 6749 knows.
type call struct {
	e      *Endpoint
	c      *catalog.Connector
	who    connection.Client
	meta   map[string]string
	renews bool // what a consent brought, not a mint
	sent   bool
	// unsent is why the request could not even be made, outcome what that means.
	unsent  error
	outcome catalog.Outcome

	status int
	header http.Header
	body   []byte
}

func (e *Endpoint) call(c *catalog.Connector, who connection.Client, meta map[string]string) *call {
	return &call{e: e, c: c, who: who, meta: meta}
}

func (k *call) context(ctx context.Context) context.Context {
	return context.WithValue(k.traced(ctx), oauth2.HTTPClient, k.client())
}

func (k *call) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { k.sent = true }})
}

func (k *call) client() *http.Client {
	hc := *k.e.client
	hc.Transport = k
	return &hc
}

// RoundTrip implements http.RoundTripper for this one call.
func (k *call) RoundTrip(r *http.Request) (*http.Response, error) {
	r, err := k.dress(r)
	if err == nil && k.c.ShowsCertificate() {
		var cert *clientcert.Certificate
		if cert, err = clientcert.Parse([]byte(k.who.Certificate), k.who.PrivateKey.Reveal(reveal.Key{})); err == nil {
			r = r.WithContext(clientcert.With(r.Context(), cert))
		} else {
			k.outcome = catalog.Outcome{Kind: catalog.OutcomeConfig, Reason: "client_certificate"}
		}
	}
	if err != nil {
		k.unsent = err
		return nil, err
	}
	res, err := k.e.client.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20)) // the library reads no more either
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	k.status, k.header, k.body = res.StatusCode, res.Header, body
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// read turns the provider's answer, or its absence, into tokens or a fault. The library's own error is kept only when
// no answer came: with one, its text would hold the body.
func (k *call) read(libErr error) (connection.Tokens, catalog.Outcome, error) {
	if k.unsent != nil {
		return connection.Tokens{}, k.outcome, fault.New(fault.ProviderError, "the token request to %s could not be made", k.c.Name).With("connector", k.c.ID).With("reason", "request_unbuildable").WithCause(k.unsent)
	}
	if k.status == 0 {
		f := fault.New(fault.ProviderError, "%s gave no answer to the token request", k.c.Name).With("connector", k.c.ID).With("reason", "no_answer").WithRetryAfter(5 * time.Second)
		return connection.Tokens{}, catalog.Outcome{}, f.WithCause(libErr)
	}
	parse := k.c.ParseTokenBody
	if k.renews {
		parse = k.c.ParseRefreshBody
	}
	res, err := parse(k.status, k.header, k.body, k.e.now())
	if err != nil {
		var p *catalog.ProviderFailure
		if errors.As(err, &p) {
			return connection.Tokens{}, p.Outcome, err
		}
		return connection.Tokens{}, catalog.Outcome{Kind: catalog.OutcomeError, Reason: "unreadable_answer", Status: k.status}, err
	}
	t := connection.Tokens{Access: res.AccessToken, Refresh: res.RefreshToken, Facts: connection.TokenFacts{ExpiresAt: res.ExpiresAt, RefreshExpiresAt: res.RefreshExpiresAt, Metadata: res.Metadata}, Sets: setsOf(res)}
	if res.ScopesStated {
		t.Facts.Scopes = res.Scopes
	}
	access, err := k.c.Certify(t.Access.Reveal(reveal.Key{}), k.who.Certificate, k.who.PrivateKey.Reveal(reveal.Key{}))
	t.Access = secret.New(access)
	return t, catalog.Outcome{Kind: catalog.OutcomeOK}, err
}

var _ refresh.Endpoint = (*Endpoint)(nil)
