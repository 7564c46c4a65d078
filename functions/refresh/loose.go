package refresh

import (
	"context"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// lastTry is the attempt at telling a provider of loose tokens that is given up when it fails.
const lastTry = 8

// endLoose ends a pending connection that nobody completed. Tokens that waited for a choice, or that are part of a connection that
// ended, go to the provider for revocation from here, since nobody else knows of them; a provider that is down is asked again at
// the next sweep.
func (f *Function) endLoose(ctx context.Context, ref connection.Ref) error {
	creds, err := f.vendor.ForTenant(ctx, ref.Tenant)
	if err != nil {
		return err
	}
	w := f.open.OpenWith(creds)
	c, err := w.DB.Connection(ctx, ref)
	if err != nil {
		return err
	}
	done, err := w.DB.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
		if x.Status != connection.Pending || f.deps.Now().Before(x.PendingUntil) {
			return x, fault.New(fault.Conflict, "not an expired pending connection")
		}
		reason := "link_expired"
		if x.Choosing {
			reason = "not_chosen"
		}
		return x.Revoke(reason, f.deps.Now()), nil
	})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	if done.Status != connection.Revoked || done.DueAt().IsZero() {
		return nil
	}
	_, err = f.revoker(w).Finish(ctx, ref, done.Revocation.Attempts >= lastTry-1)
	return err
}
