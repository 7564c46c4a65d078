package xoauth2

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// complete makes the requests steps that a connector wants behind a token answer (token.extra_steps), each once. kept is the refresh
// token that was in force before. The tokens so far come with an error: whoever cannot use them may have to give them back.
func (e *Endpoint) complete(ctx context.Context, c *catalog.Connector, client connection.Client, steps []int, t connection.Tokens, kept secret.Text, metadata map[string]string) (connection.Tokens, error) {
	if len(steps) == 0 {
		return t, nil
	}
	if !t.Refresh.IsZero() {
		kept = t.Refresh
	}
	so := catalog.TokenResponse{AccessToken: t.Access, ExpiresAt: t.Facts.ExpiresAt, Metadata: maps.Clone(t.Facts.Metadata)}
	for _, i := range steps {
		meta := maps.Clone(metadata)
		if meta == nil {
			meta = map[string]string{}
		}
		maps.Copy(meta, so.Metadata)
		var refreshToken []byte
		if !c.Mode.Mints() { // what a connection mints from is sent nowhere
			refreshToken = kept.Reveal(reveal.Key{})
		}
		v := catalog.NewStepValues(client.ID, client.Secret.Reveal(reveal.Key{}), so.AccessToken.Reveal(reveal.Key{}), refreshToken, meta)
		req, err := c.StepRequest(ctx, i, meta, v)
		if err != nil {
			return t, err
		}
		if so, err = e.step(c, i, req, so); err != nil {
			return t, err
		}
	}
	t.Access, t.Facts.ExpiresAt, t.Facts.Metadata = so.AccessToken, so.ExpiresAt, so.Metadata
	return t, nil
}

// step makes one request, with the guarded client, and reads its answer.
func (e *Endpoint) step(c *catalog.Connector, i int, req *http.Request, so catalog.TokenResponse) (catalog.TokenResponse, error) {
	res, err := e.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) { // its text holds the address, which may be a secret
			err = ue.Err
		}
		return so, fault.New(fault.ProviderError, "%s gave no answer to a step behind the token request", c.Name).With("connector", c.ID).With("reason", "no_answer").WithRetryAfter(5 * time.Second).WithCause(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return so, fault.New(fault.ProviderError, "%s gave no whole answer to a step behind the token request", c.Name).With("connector", c.ID).With("reason", "no_answer").WithRetryAfter(5 * time.Second)
	}
	return c.ParseStep(i, res.StatusCode, res.Header, body, so, e.now())
}

// completeRefresh is complete after a refresh. The refresh token of before may be used up, so a new one must reach the store
// whatever becomes of the steps: the tokens are then given out as incomplete, and a later refresh tries again. Without a new one
// nothing is lost, and the refresh has failed for now. A step that fails never ends a grant.
func (e *Endpoint) completeRefresh(ctx context.Context, c *catalog.Connector, client connection.Client, t connection.Tokens, kept secret.Text, metadata map[string]string) (connection.Tokens, error) {
	done, err := e.complete(ctx, c, client, c.ExtraSteps(true), t, kept, metadata)
	if err == nil {
		return done, nil
	}
	out := catalog.Outcome{Kind: catalog.OutcomeTransient, Reason: "step_failed"}
	var p *catalog.ProviderFailure
	if errors.As(err, &p) {
		out = p.Outcome
		if out.Kind == catalog.OutcomeDead || out.Kind == catalog.OutcomeExpired {
			out.Kind = catalog.OutcomeTransient
		}
	}
	if t.Refresh.IsZero() {
		return connection.Tokens{}, &refresh.EndpointError{Outcome: out, Sent: true, Err: err}
	}
	t.Facts.Incomplete, t.Facts.ExpiresAt = "step_failed: "+out.Reason, e.now()
	return t, nil
}

// setsOf are the further tokens of an answer.
func setsOf(res catalog.TokenResponse) map[string]connection.Tokens {
	if len(res.Sets) == 0 {
		return nil
	}
	out := map[string]connection.Tokens{}
	for name, s := range res.Sets {
		t := connection.Tokens{Access: s.AccessToken, Refresh: s.RefreshToken, Facts: connection.TokenFacts{ExpiresAt: s.ExpiresAt, RefreshExpiresAt: s.RefreshExpiresAt}}
		if s.ScopesStated {
			t.Facts.Scopes = s.Scopes
		}
		out[name] = t
	}
	return out
}
