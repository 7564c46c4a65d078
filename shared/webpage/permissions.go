package webpage

import "behalf.dev/behalf/shared/catalog"

// Permissions are what scopes allow, of one effect, in plain words.
type Permissions struct {
	Effect  catalog.Effect
	Heading string
	Lines   []string
}

// PermissionsOf sorts scopes by what they allow. A scope that the connector does not describe is shown by its name, among
// the changes: people should rather be told too much than too little.
func PermissionsOf(c *catalog.Connector, scopes []string) []Permissions {
	all := []Permissions{{catalog.EffectRead, "Read", nil}, {catalog.EffectWrite, "Change", nil}, {catalog.EffectDestructive, "Delete", nil}}
	for _, name := range scopes {
		s, ok := c.Scopes.Known[name]
		if !ok {
			s = catalog.Scope{Description: name, Effect: catalog.EffectWrite}
		}
		for i := range all {
			if all[i].Effect == s.Effect {
				all[i].Lines = append(all[i].Lines, s.Description)
			}
		}
	}
	out := all[:0]
	for _, p := range all {
		if len(p.Lines) > 0 {
			out = append(out, p)
		}
	}
	return out
}
