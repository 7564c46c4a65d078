package template

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.template.json
var files embed.FS

// suffix follows the stack's name in a file name.
const suffix = ".template.json"

// Stacks returns each template (JSON) by its stack's name, such as "behalf-local-service". It returns an error only when the
// package was built without them.
func Stacks() (map[string][]byte, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	out := map[string][]byte{}
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, fmt.Errorf("read template %s: %w", e.Name(), err)
		}
		out[strings.TrimSuffix(e.Name(), suffix)] = text
	}
	return out, nil
}
