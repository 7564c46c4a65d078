package policy

import (
	"embed"
	"fmt"
	"maps"
	"strings"

	"behalf.dev/behalf/integration/stack/template"
)

//go:embed canary/*.template.json
var canary embed.FS

// Templates returns all committed templates by the name of their stack: those of the local stack, and the canary's, which the
// local stack does not deploy. It returns an error only when the package was built without them.
func Templates() (map[string][]byte, error) {
	out, err := template.Stacks()
	if err != nil {
		return nil, err
	}
	out = maps.Clone(out)
	entries, err := canary.ReadDir("canary")
	if err != nil {
		return nil, fmt.Errorf("list the canary's template: %w", err)
	}
	for _, e := range entries {
		text, err := canary.ReadFile("canary/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read the canary's template: %w", err)
		}
		out[strings.TrimSuffix(e.Name(), ".template.json")] = text
	}
	return out, nil
}
