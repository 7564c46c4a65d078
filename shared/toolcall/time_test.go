package toolcall_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// stuck is a refresher that waits for a provider longer than any call can.
type stuck struct{ waits time.Duration }

// Refresh implements toolcall.Refresher.
func (s *stuck) Refresh(ctx context.Context, r connection.RefreshRequest) (connection.RefreshResult, error) {
	s.waits = r.Wait
	<-ctx.Done()
	return connection.RefreshResult{}, ctx.Err()
}

func TestRun_ProviderSlowerThanACall_CallerIsToldInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), &stuck{}
		w.exec.Refresher = s
		w.now = w.now.Add(2 * time.Hour) // the token is dead
		ctx, cancel := context.WithTimeout(t.Context(), 29*time.Second)
		defer cancel()
		began := time.Now()
		_, err := w.exec.Run(ctx, authn.Session{ID: "sess_1", Scope: alice}, toolcall.Call{Tool: "github_create_issue", Input: []byte(`{"owner":"acme","repo":"billing","title":"x"}`)})
		f := fault.From(err)
		if f.Code != fault.ProviderError || f.Detail["reason"] != "refresh_busy" || f.RetryAfter == 0 || len(w.sent) != 0 {
			t.Errorf("%v, %+v", err, f.Detail)
		}
		if took := time.Since(began); took <= s.waits || took > 25*time.Second {
			t.Errorf("told after %v, the refresher may take %v", took, s.waits)
		}
	})
}
