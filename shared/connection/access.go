package connection

import (
	"slices"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Access lists the users, and the groups of the tenant's directory, on whose behalf a connection of tenant.Org may be used.
// An empty list holds nobody.
type Access struct {
	Principals []tenant.Principal `json:"principals"`
	Groups     []string           `json:"groups"`
}

// MaxAccess is the most principals and groups of one list: the list is read with every call.
const MaxAccess = 500

// maxGroup bounds the name of a group in bytes.
const maxGroup = 256

// Has reports that the list holds p, or one of the groups that p is in.
func (a Access) Has(p tenant.Principal, groups []string) bool {
	return slices.Contains(a.Principals, p) || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(a.Groups, g) })
}

// NewAccess checks a list and sorts it. It returns fault.InvalidInput about /principals or /groups.
func NewAccess(principals, groups []string) (Access, error) {
	a := Access{Principals: []tenant.Principal{}, Groups: []string{}}
	if len(principals)+len(groups) > MaxAccess {
		return a, fault.Invalid("/principals", "at most %d principals and groups; use a group of the directory", MaxAccess)
	}
	for _, raw := range principals {
		p, err := tenant.ParsePrincipal("/principals", raw)
		if err != nil {
			return a, err
		}
		if p == tenant.Org {
			return a, fault.Invalid("/principals", "the tenant itself needs no place on the list")
		}
		a.Principals = append(a.Principals, p)
	}
	for _, g := range groups {
		if g == "" || len(g) > maxGroup {
			return a, fault.Invalid("/groups", "a group is the display name that the directory gives it, 1 to %d bytes", maxGroup)
		}
		a.Groups = append(a.Groups, g)
	}
	slices.Sort(a.Principals)
	slices.Sort(a.Groups)
	a.Principals, a.Groups = slices.Compact(a.Principals), slices.Compact(a.Groups)
	return a, nil
}

// Share returns c with another access list. It returns fault.Conflict for a connection of a user: that one acts for its
// user alone.
func (c Connection) Share(a Access, now time.Time) (Connection, error) {
	if c.Principal != tenant.Org {
		return c, fault.New(fault.Conflict, "only connections of \"_org\" have an access list; this one belongs to a user").With("reason", "not_org_owned")
	}
	if c.Status == Revoked {
		return c, fault.New(fault.Conflict, "this connection was revoked").With("status_now", string(c.Status))
	}
	c.Access, c.Updated = a, now
	return c, nil
}
