package apigw

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openapiYAML []byte

// document is openapi.yaml, decoded once per process. Nobody changes what it returns.
var document = sync.OnceValues(func() (map[string]any, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(openapiYAML, &doc); err != nil {
		return nil, fmt.Errorf("decode openapi.yaml: %w", err)
	}
	return doc, nil
})

// OpenAPI is the OpenAPI 3.1 document of the HTTP API as JSON. publicURL, where callers reach this deployment, becomes
// the only server. It returns an error only if the embedded document is broken, which a test excludes.
func OpenAPI(publicURL string) ([]byte, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	out := maps.Clone(doc)
	out["servers"] = []any{map[string]any{"url": strings.TrimRight(publicURL, "/"), "description": "This deployment"}}
	return json.Marshal(out)
}
