package xoauth2

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
)

// Measured is an Endpoint with a clock beside it: each request to a token endpoint counts, whichever grant it is, and so does each
// access token that is minted (client credentials, JWT bearer, installation tokens, JWTs signed here).
type Measured struct {
	*Endpoint
	Meter *metric.Meter
	Now   func() time.Time
}

// Exchange is Endpoint.Exchange, counted.
func (m Measured) Exchange(ctx context.Context, c *catalog.Connector, client connection.Client, r connection.Redemption) (connection.Tokens, error) {
	began := m.Now()
	t, out, err := m.exchange(ctx, c, client, r)
	outcome := string(out.Kind)
	if outcome == "" && err == nil {
		outcome = string(catalog.OutcomeOK)
	} else if outcome == "" {
		outcome = noAnswer
	}
	m.asked(c, began, outcome)
	return t, err
}

// Refresh is Endpoint.Refresh, counted. A JWT that is itself the access token is minted without any request.
func (m Measured) Refresh(ctx context.Context, c *catalog.Connector, client connection.Client, token secret.Text, metadata map[string]string) (connection.Tokens, error) {
	began := m.Now()
	t, err := m.Endpoint.Refresh(ctx, c, client, token, metadata)
	if c.Mode.Mints() {
		m.Meter.Add(metric.TokenMints, 1, metric.Labels{Connector: c.ID, Outcome: Meaning(err)})
	}
	if c.Mode.Asks() {
		m.asked(c, began, Meaning(err))
	}
	return t, err
}

func (m Measured) asked(c *catalog.Connector, began time.Time, outcome string) {
	m.Meter.Add(metric.TokenLatency, float64(m.Now().Sub(began).Milliseconds()), metric.Labels{Connector: c.ID})
	m.Meter.Add(metric.TokenRequests, 1, metric.Labels{Connector: c.ID, Outcome: outcome})
}

// noAnswer is what a request meant that nobody answered.
const noAnswer = "no_answer"

// Meaning is what an answer to Refresh meant, in one word of a closed set: a catalog.OutcomeKind, or "no_answer".
func Meaning(err error) string {
	failed, ok := err.(*refresh.EndpointError) //nolint:errorlint // the interface promises this type
	switch {
	case err == nil:
		return string(catalog.OutcomeOK)
	case ok && failed.Outcome.Kind != "":
		return string(failed.Outcome.Kind)
	}
	return noAnswer
}
