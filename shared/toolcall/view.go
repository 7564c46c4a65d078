package toolcall

import (
	"regexp"
	"slices"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

// View is a named part of the tools of a tenant's sessions: what agents of one role see at /mcp/{view}. It only narrows
// what a session may call anyway. An empty list does not narrow.
type View struct {
	Name       string           `json:"name"`
	Connectors []string         `json:"connectors,omitempty"`
	Tools      []string         `json:"tools,omitempty"`
	Effects    []catalog.Effect `json:"effects,omitempty"`
	Created    time.Time        `json:"created_at"`
	Updated    time.Time        `json:"updated_at"`
	// Version is the store's.
	Version uint64 `json:"-"`
}

// maxViewEntries bounds each list of a view: it is read by every call through it.
const maxViewEntries = 200

var viewName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// ParseViewName checks the name of a view; field is what the error names. It returns fault.InvalidInput.
func ParseViewName(field, s string) (string, error) {
	if !viewName.MatchString(s) {
		return "", fault.Invalid(field, "a view's name has 1 to 63 characters: small letters, digits and hyphens, not starting with a hyphen")
	}
	return s, nil
}

// Allows reports whether the view holds the tool; a nil View holds all.
func (v *View) Allows(t *catalog.Tool) bool {
	return v == nil || within(v.Connectors, t.Connector().ID) && within(v.Tools, t.Name) && within(v.Effects, t.Effect)
}

// name is the view's, empty for a nil View.
func (v *View) name() string {
	if v == nil {
		return ""
	}
	return v.Name
}

func within[T comparable](list []T, x T) bool { return len(list) == 0 || slices.Contains(list, x) }

// Check fails on a view that limits nothing, or names what the catalog does not have: fault.InvalidInput with the pointer.
func (v *View) Check(tools Tools) error {
	if len(v.Connectors)+len(v.Tools)+len(v.Effects) == 0 {
		return fault.New(fault.InvalidInput, "a view names connectors, tools or effects; /mcp without a view has everything")
	}
	if len(v.Connectors) > maxViewEntries || len(v.Tools) > maxViewEntries {
		return fault.New(fault.InvalidInput, "a view names at most %d connectors and %d tools", maxViewEntries, maxViewEntries)
	}
	for _, id := range v.Connectors {
		if _, err := tools.Connector(id); err != nil {
			return fault.Invalid("/connectors", "there is no connector %.60q", id)
		}
	}
	for _, name := range v.Tools {
		c, _, err := tools.Tool(name)
		if err != nil {
			return fault.Invalid("/tools", "there is no tool %.60q", name)
		}
		if !within(v.Connectors, c.ID) {
			return fault.Invalid("/tools", "%s belongs to %s, which is not among the view's connectors", name, c.ID)
		}
	}
	for _, e := range v.Effects {
		if e != catalog.EffectRead && e != catalog.EffectWrite && e != catalog.EffectDestructive {
			return fault.Invalid("/effects", "an effect is read, write or destructive, not %.30q", string(e))
		}
	}
	return nil
}
