package xoauth2

import (
	"context"
	"errors"
	"io"
	"net/http/httptrace"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/refresh"
)

// selfMade is a signed JWT as access token, after the provider took it once. Nobody else would ever notice that its key
// was withdrawn: signing always works, and each refusal of a call would only lead to the next signature.
func (e *Endpoint) selfMade(ctx context.Context, c *catalog.Connector, jwt signed, metadata map[string]string) (connection.Tokens, error) {
	t := connection.Tokens{Access: jwt.text, Facts: connection.TokenFacts{ExpiresAt: jwt.expires}}
	r, ok, err := c.IdentityRequest(metadata)
	if err != nil || !ok {
		return t, err
	}
	req, err := r.HTTP(ctx)
	if err != nil {
		return connection.Tokens{}, &refresh.EndpointError{Err: err}
	}
	egress.Authorize(req, r.Auth.Put, jwt.text)
	sent := false
	res, err := e.client.Do(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent = true }})))
	var body []byte
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
		_ = res.Body.Close()
	}
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) { // its text holds the address
			err = ue.Err
		}
		f := fault.New(fault.ProviderError, "%s gave no answer to a new token", c.Name).With("connector", c.ID).With("reason", "no_answer").WithRetryAfter(5 * time.Second)
		return connection.Tokens{}, &refresh.EndpointError{Sent: sent, Err: f.WithCause(err)}
	}
	out := c.ClassifyAPIResponse(res.StatusCode, res.Header, body)
	if out.Kind == catalog.OutcomeExpired { // it is seconds old
		out.Kind = catalog.OutcomeDead
	}
	if out.Kind != catalog.OutcomeOK {
		return connection.Tokens{}, &refresh.EndpointError{Outcome: out, Sent: true, Err: out.Fault(c.ID)}
	}
	return t, nil
}
