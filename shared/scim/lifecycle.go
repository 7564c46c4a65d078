package scim

import (
	"context"
	"slices"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Lifecycle is told who lost and who regained the right to act. Both calls are repeated freely, so they must be
// idempotent and cheap when nothing changes, and must accept principals that never connected anything: a later
// connection has to meet the state.
type Lifecycle interface {
	// Suspend returns once no further execution of p can start; revoking the connections may follow. reason is a
	// short English phrase for the audit log.
	Suspend(ctx context.Context, t tenant.ID, p tenant.Principal, reason string) error
	// Restore lifts a suspension that Suspend made, and no other. It never revives connections.
	Restore(ctx context.Context, t tenant.ID, p tenant.Principal) error
}

// Mapping says which attribute of a user is its principal.
type Mapping string

// The mappings that a tenant can choose.
const (
	MapExternalID   Mapping = "externalId" // the default
	MapUserName     Mapping = "userName"
	MapPrimaryEmail Mapping = "primaryEmail" // the primary address, else the first work address, else the first
)

// Mappings gives the mapping of a tenant.
type Mappings interface {
	PrincipalMapping(ctx context.Context, t tenant.ID) (Mapping, error)
}

// PrincipalsOf gives the principals that u is under m: none if the attribute is missing or cannot be a principal (such
// a user is stored all the same, and no session can be minted for it). userName and e-mail addresses are not case
// exact while principals are, so their lower-case form is a principal too: whichever of the two spellings the SaaS
// uses, offboarding reaches it. The tenant itself ("_org") is never a user.
func PrincipalsOf(u User, m Mapping) []tenant.Principal {
	var values []string
	switch m {
	case MapUserName:
		values = []string{u.UserName, UserNameKey(u.UserName)}
	case MapPrimaryEmail:
		mail := primaryEmail(u.Emails)
		values = []string{mail, UserNameKey(mail)}
	default:
		values = []string{u.ExternalID}
	}
	var out []tenant.Principal
	for _, v := range values {
		p, err := tenant.ParsePrincipal("principal", v)
		if err == nil && p != tenant.Org && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func primaryEmail(emails []Email) string {
	if i := slices.IndexFunc(emails, func(e Email) bool { return e.Primary && e.Value != "" }); i >= 0 {
		return emails[i].Value
	}
	if i := slices.IndexFunc(emails, func(e Email) bool { return equalFold(e.Type, "work") && e.Value != "" }); i >= 0 {
		return emails[i].Value
	}
	if i := slices.IndexFunc(emails, func(e Email) bool { return e.Value != "" }); i >= 0 {
		return emails[i].Value
	}
	return ""
}

// The reasons given to Lifecycle.Suspend.
const (
	ReasonDeactivated = "deactivated by the directory"
	ReasonDeleted     = "deleted by the directory"
	ReasonIdentity    = "the directory gave this user another identity"
)

// suspendAll suspends every principal or fails. The failure is always Internal: an identity provider retries a 5xx and
// gives up on a 4xx, and giving up here would leave a leaver with access.
func (s *Service) suspendAll(ctx context.Context, t tenant.ID, ps []tenant.Principal, reason string) error {
	for _, p := range ps {
		if err := s.life.Suspend(ctx, t, p, reason); err != nil {
			return fault.New(fault.Internal, "the user could not be suspended; send the request again").WithCause(err)
		}
	}
	return nil
}

// without gives the elements of a that are not in b.
func without(a, b []tenant.Principal) []tenant.Principal {
	var out []tenant.Principal
	for _, p := range a {
		if !slices.Contains(b, p) {
			out = append(out, p)
		}
	}
	return out
}
