package toolcall_test

import (
	"testing"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

func TestGates_EachOneThatIsShut_Refuses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := authn.Session{ID: "child", Parents: []string{"parent", "root"}, Issued: now}
	var none authn.Ended
	for want, g := range map[string]toolcall.Gates{
		"":                    {Ended: none.With("other", now)},
		"tenant_deleted":      {TenantClosed: true, Suspended: true},
		"principal_suspended": {Suspended: true, Ended: none.With("child", now)},
		"session_revoked":     {Ended: none.With("root", now)},
	} {
		err := g.Admit(s)
		if want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if !fault.Is(err, fault.Revoked) || fault.From(err).Detail["reason"] != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
