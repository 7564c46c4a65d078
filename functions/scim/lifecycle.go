package scim

import (
	"context"
	"fmt"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
)

// lifecycle does what the directory decides. Both methods may be repeated.
type lifecycle struct {
	db  *dynamo.DB
	off workspace.Offboarder
}

// Suspend returns once no further execution of p can start and each of its connections is revoked here.
func (l lifecycle) Suspend(ctx context.Context, t tenant.ID, p tenant.Principal, reason string) error {
	s := tenant.Scope{Tenant: t, Principal: p}
	changed, err := l.db.SetSuspended(ctx, s, true, reason)
	if err != nil {
		return fmt.Errorf("suspend: %w", err)
	}
	if changed {
		if err := l.record(ctx, s, audit.PrincipalSuspended, reason); err != nil {
			return err
		}
	}
	_, err = l.off.Principal(ctx, s, "scim_deprovisioned", "scim")
	return err
}

// Restore lifts a suspension. Revoked connections stay revoked: whoever comes back connects again.
func (l lifecycle) Restore(ctx context.Context, t tenant.ID, p tenant.Principal) error {
	s := tenant.Scope{Tenant: t, Principal: p}
	changed, err := l.db.SetSuspended(ctx, s, false, "")
	if err != nil || !changed {
		return err
	}
	return l.record(ctx, s, audit.PrincipalRestored, "scim_reactivated")
}

func (l lifecycle) record(ctx context.Context, s tenant.Scope, kind audit.Kind, reason string) error {
	return l.db.Record(ctx, audit.Record{ID: l.off.NewID("aud"), Kind: kind, Time: l.off.Now(), Tenant: s.Tenant, Principal: string(s.Principal), Reason: reason, By: "scim", Outcome: "succeeded"})
}

// mappings reads which attribute is the principal from the tenant's settings.
type mappings struct{ db *dynamo.DB }

// PrincipalMapping implements scim.Mappings.
func (m mappings) PrincipalMapping(ctx context.Context, t tenant.ID) (scim.Mapping, error) {
	cfg, err := m.db.Tenant(ctx, t)
	return scim.Mapping(cfg.PrincipalMapping), err
}

// memberships notes groups where executions read them.
type memberships struct{ db *dynamo.DB }

// SetGroups implements scim.Memberships.
func (m memberships) SetGroups(ctx context.Context, t tenant.ID, p tenant.Principal, groups []string) error {
	return m.db.SetGroups(ctx, tenant.Scope{Tenant: t, Principal: p}, groups)
}
