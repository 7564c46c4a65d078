package refresh_test

import (
	"testing"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
)

// TestRefresh_TradedAccessToken_IsNoRotation: what is kept changes each time, and can be used again all the same. Taken for
// rotation, it would make one lost answer look like a lost grant.
func TestRefresh_TradedAccessToken_IsNoRotation(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, "static}\nrefresh: {kind: reexchange_access_token, token_param: t")
		w.provider.rotation.Class = catalog.RotationGrace // the answer brings what is kept next
		w.provider.rotation.GraceSeconds = 3600
		res, err := w.worker(nil).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshRefreshed, "")
		if c := w.current(); c.Refresh.Rotates || c.Refresh.Generation != 2 {
			t.Errorf("%+v", c.Refresh)
		}
	})
}
