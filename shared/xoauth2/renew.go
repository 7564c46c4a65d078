package xoauth2

import (
	"context"
	"net/url"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// renew makes a new access token without a refresh token: of the access token before, or by the client's own credentials.
// Both can be asked for again.
func (e *Endpoint) renew(ctx context.Context, c *catalog.Connector, client connection.Client, kept secret.Text, metadata map[string]string) (connection.Tokens, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if c.RefreshKind() == catalog.RefreshWithAccessToken {
		form = c.Reexchange(string(kept.Reveal(reveal.Key{})))
	}
	to, err := c.RefreshURL(metadata)
	if err != nil {
		return connection.Tokens{}, &refresh.EndpointError{Err: err}
	}
	req, err := clientRequest(ctx, c, client, form, to)
	if err != nil {
		return connection.Tokens{}, &refresh.EndpointError{Err: err}
	}
	call := e.call(c, client, metadata)
	call.renews = true
	t, err := ask(call, req)
	if err != nil {
		return t, err
	}
	t.Sets = nil
	t, err = e.completeRefresh(ctx, c, client, t, secret.Text{}, metadata)
	if err != nil || c.RefreshKind() == catalog.RefreshAsClient {
		return t, err // what is kept stays as it is
	}
	return keepFor(c, t) // of the token that the steps made
}

// keepFor decides what an answer leaves for the next refresh, where that is no refresh token. An access token that is traded
// for the next one must be traded before it ends.
func keepFor(c *catalog.Connector, t connection.Tokens) (connection.Tokens, error) {
	var err error
	switch c.RefreshKind() {
	case catalog.RefreshWithAccessToken:
		t.Refresh, t.Facts.RefreshExpiresAt = t.Access, t.Facts.ExpiresAt
	case catalog.RefreshAsClient:
		t.Refresh, err = catalog.Seed{}.Text()
	}
	return t, err
}
