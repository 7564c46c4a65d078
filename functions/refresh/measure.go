package refresh

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
)

// measured is the token endpoint with a clock beside it.
type measured struct {
	refresh.Endpoint
	meter *metric.Meter
	now   func() time.Time
}

// Refresh implements refresh.Endpoint.
func (m measured) Refresh(ctx context.Context, c *catalog.Connector, client connection.Client, token secret.Text, metadata map[string]string) (connection.Tokens, error) {
	began := m.now()
	res, err := m.Endpoint.Refresh(ctx, c, client, token, metadata)
	m.meter.Add(metric.TokenLatency, float64(m.now().Sub(began).Milliseconds()), metric.Labels{Connector: c.ID})
	m.meter.Add(metric.TokenRequests, 1, metric.Labels{Connector: c.ID, Outcome: meaning(err)})
	return res, err
}

// meaning is what an answer of a token endpoint meant, in one word of a closed set.
func meaning(err error) string {
	failed, ok := err.(*refresh.EndpointError) //nolint:errorlint // the interface promises this type
	switch {
	case err == nil:
		return string(catalog.OutcomeOK)
	case ok && failed.Outcome.Kind != "":
		return string(failed.Outcome.Kind)
	}
	return "no_answer"
}

// counted is the gate with a counter of those that it keeps off.
type counted struct {
	*refresh.Gate
	meter *metric.Meter
}

// Wait implements refresh.Keeper.
func (c counted) Wait(ref connection.Ref) time.Duration {
	open := c.Open(ref)
	pause := c.Gate.Wait(ref)
	if pause > 0 {
		why := "rate_limited"
		if open {
			why = "circuit_open"
		}
		c.meter.Add(metric.RefreshesKeptOff, 1, metric.Labels{Connector: ref.Connector, Outcome: why})
	}
	return pause
}

// observe counts how a refresh ended. Only what this process tried at the provider goes into the rates: what it found done, or was
// kept from, says nothing about the provider.
func (f *Function) observe(connector string, res connection.RefreshResult, err error) {
	outcome := string(res.Status)
	if err != nil {
		outcome = "failed"
	}
	f.meter.Add(metric.Refreshes, 1, metric.Labels{Connector: connector, Outcome: outcome})
	by := metric.Labels{Connector: connector}
	if err == nil && (!res.Led || res.Reason == refresh.ReasonAwaitingRescue) {
		return
	}
	f.meter.Add(metric.RefreshFailures, percent(err != nil || res.Status == connection.RefreshDelayed || res.Status == connection.RefreshNeedsReauth), by)
	f.meter.Add(metric.Reauthorizations, percent(res.Status == connection.RefreshNeedsReauth), by)
	if late := f.deps.Now().Sub(res.DueAt); res.Status == connection.RefreshRefreshed && !res.DueAt.IsZero() && late > 0 {
		f.meter.Add(metric.RefreshLag, late.Seconds(), by)
	}
}

func percent(yes bool) float64 {
	if yes {
		return 100
	}
	return 0
}

// flush ends a piece of work: Lambda may freeze or end the process after it.
func (f *Function) flush(ctx context.Context) {
	if err := f.meter.Flush(); err != nil {
		f.deps.Log.ErrorContext(ctx, "nothing measured", "error", err)
	}
}
