package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"behalf.dev/behalf/shared/fault"
)

// Catalog is a set of connectors. It does not change and is safe for concurrent use.
type Catalog struct {
	byID map[string]*entry
}

// entry is a connector that is read when it is asked for, or was before.
type entry struct {
	once sync.Once
	read func() (*Connector, error)
	conn *Connector
	err  error
}

func (e *entry) get() (*Connector, error) {
	e.once.Do(func() { e.conn, e.err = e.read() })
	return e.conn, e.err
}

// Option changes how Load works.
type Option func(*options)

type options struct {
	hosts  Hosts
	lazily bool
}

// WithHosts replaces base URLs, for a local stack or a gateway. Naming a connector or host that is not there is an error.
func WithHosts(h Hosts) Option { return func(o *options) { o.hosts = h } }

// Lazily leaves each manifest unread until its connector is asked for, so that the start of a function does not pay for connectors
// that it may never use. It is for files that a test has read and verified; a connector that cannot be read all the same is an
// error where it is asked for by id, and left out of Connectors.
func Lazily() Option { return func(o *options) { o.lazily = true } }

// Load reads every folder of fsys that holds a connector.yaml; other folders are left alone. Manifests are read and
// checked now (see Lazily), tools at first use. The error lists every problem with file and line.
func Load(fsys fs.FS, opts ...Option) (*Catalog, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	files, err := fs.Glob(fsys, "*/"+manifestFile)
	if err != nil {
		return nil, fmt.Errorf("list connectors: %w", err)
	}
	c := &Catalog{byID: map[string]*entry{}}
	var problems []error
	for _, file := range files {
		folder := path.Dir(file)
		over := o.hosts[folder]
		e := &entry{read: func() (*Connector, error) { return loadConnector(fsys, folder, over) }}
		c.byID[folder] = e
		if o.lazily && len(over) == 0 { // an override may be wrong, which is told at the start
			continue
		}
		if _, err := e.get(); err != nil {
			problems = append(problems, err)
		}
	}
	for id := range o.hosts {
		if _, ok := c.byID[id]; !ok {
			problems = append(problems, fmt.Errorf("host override names connector %q, which is not in the catalog", id))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return c, nil
}

const (
	manifestFile = "connector.yaml"
	toolsFile    = "tools.yaml"
)

// Merge is the catalog of both, for connectors of an adopter beside ours. An id in both is an error: which one a stored
// connection means must not depend on the order of a list.
func Merge(a, b *Catalog) (*Catalog, error) {
	c := &Catalog{byID: maps.Clone(a.byID)}
	for id, conn := range b.byID {
		if _, clash := c.byID[id]; clash {
			return nil, fmt.Errorf("connector %q is in both catalogs; rename one folder and its id", id)
		}
		c.byID[id] = conn
	}
	return c, nil
}

// Connector finds a connector by id; fault.NotFound when there is none.
func (c *Catalog) Connector(id string) (*Connector, error) {
	if e, ok := c.byID[id]; ok {
		return e.get()
	}
	return nil, fault.New(fault.NotFound, "there is no connector %q; the connectors are %s", clip(id, 64), strings.Join(c.ids(), ", "))
}

func (c *Catalog) ids() []string { return slices.Sorted(maps.Keys(c.byID)) }

// Connectors lists the connectors, sorted by id.
func (c *Catalog) Connectors() []*Connector {
	list := make([]*Connector, 0, len(c.byID))
	for _, id := range c.ids() {
		if conn, err := c.byID[id].get(); err == nil {
			list = append(list, conn)
		}
	}
	return list
}

// Tool finds a tool and its connector by the tool's name; fault.NotFound when there is none. The name up to its first
// underscore is the connector's id, so only that connector's tools are read.
func (c *Catalog) Tool(name string) (*Connector, *Tool, error) {
	id, _, _ := strings.Cut(name, "_")
	e, ok := c.byID[id]
	if !ok {
		return nil, nil, fault.New(fault.NotFound, "there is no tool %q: no connector is called %q", clip(name, 64), clip(id, 64))
	}
	conn, err := e.get()
	if err != nil {
		return nil, nil, err
	}
	tools, err := conn.Tools()
	if err != nil {
		return nil, nil, err
	}
	i, found := slices.BinarySearchFunc(tools, name, func(t *Tool, n string) int { return strings.Compare(t.Name, n) })
	if !found {
		return nil, nil, fault.New(fault.NotFound, "connector %s has no tool %q", id, clip(name, 64))
	}
	return conn, tools[i], nil
}

// Tools lists the connector's tools, sorted by name. The first call reads and checks tools.yaml; its error is kept. A
// connector without that file has no tools.
func (c *Connector) Tools() ([]*Tool, error) {
	c.toolOnce.Do(func() { c.tools, c.toolErr = loadTools(c) })
	return slices.Clone(c.tools), c.toolErr
}

// ProxyTool is the name under which sessions and the audit trail know requests to a connector that no tool covers. No
// tool may have it.
func ProxyTool(connector string) string { return connector + proxySuffix }

const proxySuffix = "_proxy"

// Owner is the connector of a name that may stand in a session's list of tools: a tool, or ProxyTool. It returns
// fault.NotFound.
func (c *Catalog) Owner(name string) (*Connector, error) {
	if id, ok := strings.CutSuffix(name, proxySuffix); ok {
		if spec, err := c.Connector(id); err == nil {
			return spec, nil
		}
	}
	spec, _, err := c.Tool(name)
	return spec, err
}

// Verify reads and compiles everything that is otherwise lazy. For tests, and for the check command of an adopter.
func (c *Catalog) Verify() error {
	var problems []error
	for _, e := range c.byID {
		_, err := e.get()
		problems = append(problems, err)
	}
	for _, conn := range c.Connectors() {
		tools, err := conn.Tools()
		problems = append(problems, err)
		for _, t := range tools {
			if _, err := t.compile(); err != nil {
				problems = append(problems, fmt.Errorf("input schema of %s: %w", t.Name, err))
			}
		}
	}
	return errors.Join(problems...)
}
