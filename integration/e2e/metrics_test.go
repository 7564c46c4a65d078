package e2e_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/metric/metrictest"
)

// metricLog is where functions that run at the same time write their metric lines.
type metricLog struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements io.Writer.
func (l *metricLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *metricLog) read(t *testing.T) []metrictest.Point {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	points, err := metrictest.Read(l.all.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if text := l.all.String(); strings.Contains(text, "acme") || strings.Contains(text, "alice") {
		t.Errorf("the metrics name a tenant or a person: %s", text)
	}
	return points
}

// A day in the life of three connections, as CloudWatch would see it.
func TestMetrics_RefreshesAndExecutions_AreCounted(t *testing.T) {
	t.Parallel()
	log := &metricLog{}
	f := e2e.Start(t, e2e.Options{Metrics: log})
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "acme", "user_alice", "slack", "alice", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
	f.Execute(t, session, "no_such_tool", nil, nil).WantCode(t, "not_found")
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:503"})
	f.Clock.Advance(7*time.Hour + 50*time.Minute)
	f.Account().FireSchedules()
	f.Settle(t)
	f.Clock.Advance(time.Minute)
	f.Account().FireSchedules()
	f.Settle(t)
	if _, err := f.Emulator.RevokeGrant("slack", "alice"); err != nil {
		t.Fatal(err)
	}
	f.Clock.Advance(5 * time.Hour)
	f.Account().FireSchedules()
	f.Settle(t)
	points := log.read(t)
	for _, want := range []struct {
		name       metric.Name
		dimensions string
		sum        float64
	}{
		{metric.Executions, "Connector=github,Outcome=succeeded,Stage=local", 1},
		{metric.Executions, "Connector=none,Outcome=not_found,Stage=local", 1},
		{metric.Executions, "Outcome=succeeded,Stage=local", 1},
		{metric.TokenRequests, "Connector=github,Outcome=transient,Stage=local", 1},
		{metric.TokenRequests, "Connector=github,Outcome=ok,Stage=local", 2}, // the code, and one refresh
		{metric.TokenRequests, "Connector=slack,Outcome=dead,Stage=local", 1},
		{metric.Refreshes, "Connector=github,Outcome=refreshed,Stage=local", 1},
		{metric.Refreshes, "Connector=github,Outcome=delayed,Stage=local", 1},
		{metric.Reauthorizations, "Connector=slack,Stage=local", 100},
		{metric.Reauthorizations, "Connector=github,Stage=local", 0},
		{metric.RefreshFailures, "Connector=github,Stage=local", 100}, // one of two
	} {
		if got := metrictest.Sum(points, want.name, want.dimensions); got != want.sum {
			t.Errorf("%s by %s is %v, want %v", want.name, want.dimensions, got, want.sum)
		}
	}
	if got := metrictest.Sum(points, metric.Sweeps, "Stage=local"); got < 3 {
		t.Errorf("%v sweeps", got)
	}
	if got := metrictest.Sum(points, metric.RefreshLag, "Connector=github,Stage=local"); got <= 0 || got > 3600 {
		t.Errorf("a lag of %v seconds", got)
	}
}
