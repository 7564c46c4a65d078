package connectors

import (
	"encoding/json"
	"fmt"
	"os"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/env"
)

// FromEnv loads the catalog that a deployment configured: the shipped connectors, the adopter's folders if
// env.ConnectorsDir names a directory, and the host overrides of env.ConnectorHosts.
func FromEnv(lookup env.Lookup) (*catalog.Catalog, error) {
	r := env.NewReader(lookup)
	hosts := catalog.Hosts{}
	if raw := r.Optional(env.ConnectorHosts, ""); raw != "" {
		if err := json.Unmarshal([]byte(raw), &hosts); err != nil {
			return nil, fmt.Errorf("%s is not a JSON object of connector, host and base URL: %w", env.ConnectorHosts, err)
		}
	}
	dir := r.Optional(env.ConnectorsDir, "")
	if dir == "" {
		return Load(catalog.WithHosts(hosts), catalog.Lazily())
	}
	own, err := catalog.Load(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("load connectors from %s: %w", dir, err)
	}
	shipped, theirs := split(hosts, own)
	base, err := Load(catalog.WithHosts(shipped), catalog.Lazily())
	if err != nil {
		return nil, err
	}
	if len(theirs) > 0 {
		if own, err = catalog.Load(os.DirFS(dir), catalog.WithHosts(theirs)); err != nil {
			return nil, fmt.Errorf("load connectors from %s: %w", dir, err)
		}
	}
	return catalog.Merge(base, own)
}

// split sorts overrides by the catalog that knows the connector; catalog.Load refuses what it does not know.
func split(hosts catalog.Hosts, own *catalog.Catalog) (shipped, theirs catalog.Hosts) {
	shipped, theirs = catalog.Hosts{}, catalog.Hosts{}
	for id, h := range hosts {
		if _, err := own.Connector(id); err == nil {
			theirs[id] = h
		} else {
			shipped[id] = h
		}
	}
	return shipped, theirs
}
