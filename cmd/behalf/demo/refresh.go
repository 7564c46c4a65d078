package demo

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/integration/emulator"
)

const parallelCalls = 50

// refresh gives Bob a GitHub token that lives two seconds, lets it die, and calls 50 times at once.
func (s *story) refresh(ctx context.Context) error {
	if err := s.shortToken(ctx); err != nil {
		return err
	}
	before, err := s.emu.Counters(ctx, "github")
	if err != nil {
		return err
	}
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for range parallelCalls {
		g.Go(func() error {
			return s.whoami(gctx, person{"acme", "user_bob", "bob"}, "github", "github_get_authenticated_user", "login")
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	s.executions += parallelCalls
	after, err := s.emu.Counters(ctx, "github")
	if err != nil {
		return err
	}
	asked := after.RefreshRequests - before.RefreshRequests
	if asked != 1 || after.RefreshReuses != 0 {
		return fmt.Errorf("the provider saw %d refresh requests and %d reused refresh tokens, want 1 and 0", asked, after.RefreshReuses)
	}
	s.saw("refresh_requests", asked, "the provider saw 1 refresh, 0 reused refresh tokens")
	s.saw("calls_ok", parallelCalls, "all %d calls succeeded, in %d ms together", parallelCalls, took.Milliseconds())
	return nil
}

// shortToken makes Bob's stored token one that has just died, at the provider and by its own expiry.
func (s *story) shortToken(ctx context.Context) error {
	const life = 2
	if err := s.accessLife(ctx, life); err != nil {
		return err
	}
	path := "/v1/tenants/acme/connections/" + s.connections["user_bob/github"]
	if err := s.admin.must(ctx, "POST", path+"/refresh", nil, nil); err != nil {
		return err
	}
	if err := s.accessLife(ctx, 8*3600); err != nil {
		return err
	}
	var c struct {
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := s.admin.must(ctx, "GET", path, nil, &c); err != nil {
		return err
	}
	wait := time.Until(c.ExpiresAt) + 50*time.Millisecond
	if c.ExpiresAt.IsZero() || wait > 10*time.Second {
		return fmt.Errorf("the short-lived token expires at %v", c.ExpiresAt)
	}
	s.out.line("Bob's token dies in %.1f s; waiting", wait.Seconds())
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
	}
	return nil
}

func (s *story) accessLife(ctx context.Context, seconds int) error {
	_, err := s.emu.ChangeSettings(ctx, "github", emulator.SettingsChange{AccessTTLSeconds: &seconds})
	return err
}
