package keys

import (
	"context"
	"time"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/tenant"
)

// How the schedule works: keys are rotated at rotateAfter; one run takes runTime, or ends spare before the function would be
// stopped.
const (
	rotateAfter = 30 * 24 * time.Hour
	runTime     = 12 * time.Minute
	spare       = 30 * time.Second
	bySchedule  = "schedule"
)

// schedule looks after the deployment and then after every tenant, until the time is over. It begins somewhere in the list
// and wraps around, so that what one run does not come to is not always the same.
func (f *Function) schedule(ctx context.Context) (contract.KeysAnswer, error) {
	until := f.deps.Now().Add(runTime)
	if end, ok := ctx.Deadline(); ok { // by the system's clock, which is not always ours
		until = f.deps.Now().Add(min(runTime, time.Until(end)-spare))
	}
	var out contract.KeysAnswer
	f.one(ctx, tenant.Deployment, until, &out)
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	from := tenant.ID(letters[int(f.deps.Jitter()*float64(len(letters)))])
	if err := f.between(ctx, from, "", until, &out); err != nil {
		return out, err
	}
	if err := f.between(ctx, "", from, until, &out); err != nil {
		return out, err
	}
	f.deps.Log.InfoContext(ctx, "keys looked after", "tenants", out.Tenants, "rotated", out.Rotated, "resealed", out.Resealed, "retired", out.Retired, "failed", out.Failed, "unfinished", out.Unfinished)
	return out, nil
}

// between looks after the tenants behind from, up to and with to; empty means from the first, and to the last.
func (f *Function) between(ctx context.Context, from, to tenant.ID, until time.Time, out *contract.KeysAnswer) error {
	for after := from; ; {
		ids, next, err := f.list.Tenants(ctx, after, 100)
		if err != nil {
			return err
		}
		for _, t := range ids {
			if to != "" && t > to {
				return nil
			}
			if !f.deps.Now().Before(until) {
				out.Unfinished = true
				return nil
			}
			f.one(ctx, t, until, out)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// one looks after one tenant. Its failure is no reason to leave the others alone; the next day tries it again.
func (f *Function) one(ctx context.Context, t tenant.ID, until time.Time, out *contract.KeysAnswer) {
	out.Tenants++
	err := f.renew(ctx, t, until, out)
	// Not found was deleted meanwhile; a conflict is somebody else who walks there, this schedule's double perhaps.
	if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) {
		out.Failed++
		f.deps.Log.ErrorContext(ctx, "keys not looked after; the next run tries again", "tenant", t, "error", err)
	}
}

func (f *Function) renew(ctx context.Context, t tenant.ID, until time.Time, out *contract.KeysAnswer) error {
	w, err := f.live(ctx, t)
	if err != nil {
		return err
	}
	all, err := w.DB.Keys(ctx, t)
	if err != nil {
		return err
	}
	several := keyring.Several(all)
	if keyring.Overdue(all, f.deps.Now(), rotateAfter) {
		made, err := w.Vault.RotateOlder(ctx, t, f.deps.Now().Add(-rotateAfter), keyring.Purposes(t)...)
		if err := f.note(ctx, w, made, err, audit.KeysRotated, "", bySchedule); err != nil {
			return err
		}
		out.Rotated, several = out.Rotated+1, true
	}
	for several {
		did, err := w.ring.Reseal(ctx, keyring.Order{Tenant: t, Resume: true, Until: until, By: bySchedule})
		out.Resealed, out.Retired = out.Resealed+did.Resealed, out.Retired+len(did.Retired)
		if err != nil {
			return err
		}
		if did.Cursor == "" {
			return nil
		}
		if !f.deps.Now().Before(until) {
			out.Unfinished = true
			return nil
		}
	}
	return nil
}
