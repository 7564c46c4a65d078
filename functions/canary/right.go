package canary

import "slices"

// right is what one tenant role may do with keys, and whom it tells apart. It is written here a second time on purpose: the
// canary compares what is deployed with what should be, and must not read the latter from the former.
type right struct {
	name string
	// byPrincipal: the role tells the principals of a tenant apart.
	byPrincipal bool
	// opens are the purposes whose tenant keys it may open; makes, whether it may also make such keys.
	opens []string
	makes bool
}

// rights are the tenant roles, in the order of attack.
func rights() []right {
	tokens := []string{"at", "rt", "cs"}
	return []right{
		{name: "execute", byPrincipal: true, opens: []string{"at"}},
		{name: "refresh", opens: tokens, makes: true},
		{name: "connect", byPrincipal: true, opens: tokens, makes: true},
		{name: "portal", byPrincipal: true},
		{name: "directory"},
		{name: "keys", opens: tokens, makes: true},
		{name: "notify", opens: []string{"wh"}, makes: true},
	}
}

// purposes are those of tenant keys, with the role that makes some for the canary to try.
func purposes() map[string]string {
	return map[string]string{"at": "refresh", "rt": "refresh", "cs": "refresh", "wh": "notify"}
}

func (r right) mayOpen(purpose string) bool { return slices.Contains(r.opens, purpose) }
