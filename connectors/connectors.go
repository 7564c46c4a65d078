// Package connectors embeds the providers that Behalf ships: one folder each, data only. README.md tells how to add one;
// package catalog gives the data its meaning. It exists apart from catalog so that code which needs the types does not
// carry the data, and so that an adopter can load other folders beside these.
package connectors

import (
	"embed"
	"io/fs"

	"behalf.dev/behalf/shared/catalog"
)

// testdata stays out of the binary.
//
//go:embed */connector.yaml */tools.yaml schema/*.json
var files embed.FS

// Files is the tree of connector folders, and the JSON Schemas of both YAML files under schema/.
func Files() fs.FS { return files }

// Load is the catalog of the shipped connectors.
func Load(opts ...catalog.Option) (*catalog.Catalog, error) { return catalog.Load(files, opts...) }
