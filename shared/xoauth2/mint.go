package xoauth2

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// mint makes an access token of a connection's seed. Doing it twice is harmless: nothing is used up. The answer carries
// no refresh token, so that the seed stays. A seed that cannot be used counts as dead: only a person can mend it.
func (e *Endpoint) mint(ctx context.Context, c *catalog.Connector, client connection.Client, kept secret.Text, metadata map[string]string) (connection.Tokens, error) {
	seed, err := catalog.ReadSeed(kept.Reveal(reveal.Key{}))
	if err != nil {
		return connection.Tokens{}, &refresh.EndpointError{Err: err}
	}
	if id, key, ok := c.ClientOf(seed.Values); ok {
		client = connection.Client{Connector: c.ID, ID: id, Secret: key}
	}
	var jwt signed
	if c.Mode != catalog.ModeClientCredentials {
		if jwt, err = e.assertion(c, client, seed); err != nil {
			return connection.Tokens{}, &refresh.EndpointError{Outcome: catalog.Outcome{Kind: catalog.OutcomeDead, Reason: "unusable_key"}, Err: err}
		}
	}
	if c.Mode == catalog.ModeJWT {
		return e.selfMade(ctx, c, jwt, metadata)
	}
	to, err := c.TokenURL(metadata)
	if err != nil {
		return connection.Tokens{}, &refresh.EndpointError{Err: err}
	}
	req, err := mintRequest(ctx, c, client, seed, jwt, to)
	if err != nil {
		return connection.Tokens{}, &refresh.EndpointError{Err: err}
	}
	return ask(e.call(c, client, metadata), req)
}

// ask makes one request to a token endpoint outside of the library.
func ask(call *call, req *http.Request) (connection.Tokens, error) {
	hc := call.client()
	res, err := hc.Do(req.WithContext(call.traced(req.Context())))
	if err == nil {
		_ = res.Body.Close() // read already
	}
	var ue *url.Error // its text holds the address
	if errors.As(err, &ue) {
		err = ue.Err
	}
	t, out, err := call.read(err)
	if err != nil {
		return t, &refresh.EndpointError{Outcome: out, Sent: call.sent, Err: err}
	}
	t.Refresh = secret.Text{} // a seed is never replaced by what a provider says
	return t, nil
}

// grantJWTBearer is the grant type of RFC 7523, section 2.1.
const grantJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

func mintRequest(ctx context.Context, c *catalog.Connector, client connection.Client, seed catalog.Seed, jwt signed, to string) (*http.Request, error) {
	form := url.Values{}
	switch c.Mode {
	case catalog.ModeClientCredentials:
		form.Set("grant_type", "client_credentials")
		if len(seed.Scopes) > 0 {
			form.Set("scope", c.JoinScopes(seed.Scopes))
		}
	case catalog.ModeJWTBearer:
		form.Set("grant_type", grantJWTBearer)
		form.Set("assertion", string(jwt.text.Reveal(reveal.Key{})))
	}
	req, err := clientRequest(ctx, c, client, form, to)
	if err == nil && c.Mode == catalog.ModeAppJWT {
		req.Header.Set("Authorization", "Bearer "+string(jwt.text.Reveal(reveal.Key{})))
	}
	return req, err
}

// clientRequest is a token request with the client's secret, as RFC 6749, section 2.3.1 has it.
func clientRequest(ctx context.Context, c *catalog.Connector, client connection.Client, form url.Values, to string) (*http.Request, error) {
	if c.ClientAuth == catalog.ClientAuthPost {
		form.Set("client_id", client.ID)
		form.Set("client_secret", string(client.Secret.Reveal(reveal.Key{})))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", formType)
	if c.ClientAuth == catalog.ClientAuthBasic {
		req.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(string(client.Secret.Reveal(reveal.Key{}))))
	}
	return req, nil
}
