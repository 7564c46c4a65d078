package refresh

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/refresh"
)

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
