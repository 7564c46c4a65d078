package cli

import (
	"testing"
	"time"
)

func TestWhen_IsReadAtATerminal(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for want, at := range map[string]time.Time{
		"-":         {},
		"5m0s ago":  now.Add(-5 * time.Minute),
		"2s ago":    now.Add(-2 * time.Second),
		"in 1m30s":  now.Add(90 * time.Second),
		"in 25h5m":  now.Add(25*time.Hour + 5*time.Minute + 2*time.Second),
		"1h0m ago":  now.Add(-time.Hour),
		"in 720h0m": now.Add(720 * time.Hour),
	} {
		if got := when(at, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
