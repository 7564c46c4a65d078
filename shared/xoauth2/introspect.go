package xoauth2

import (
	"context"
	"io"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// Introspect asks when an access token expires (RFC 7662, section 2), where the connector has such a call. Zero means
// that nobody knows. It returns fault.ProviderError when the provider does not answer, or calls the token dead.
func (e *Endpoint) Introspect(ctx context.Context, c *catalog.Connector, client connection.Client, access secret.Text, metadata map[string]string) (time.Time, error) {
	call, ok, err := c.IntrospectRequest(metadata, client.ID)
	if err != nil || !ok {
		return time.Time{}, err
	}
	token := access.Reveal(reveal.Key{})
	req, err := call.HTTP(ctx, c.APIAuth, client.Secret.Reveal(reveal.Key{}), token, token)
	if err != nil {
		return time.Time{}, err
	}
	res, err := e.client.Do(req)
	if err != nil {
		return time.Time{}, fault.New(fault.ProviderError, "%s gave no answer to the introspection", c.Name).WithCause(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return time.Time{}, fault.New(fault.ProviderError, "%s gave no whole answer to the introspection", c.Name).WithCause(err)
	}
	live, at, err := c.ParseIntrospection(res.StatusCode, body)
	if err == nil && !live {
		err = fault.New(fault.ProviderError, "%s calls the token that it just gave dead", c.Name)
	}
	return at, err
}

var _ refresh.Introspector = (*Endpoint)(nil)
