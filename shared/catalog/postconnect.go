package catalog

import (
	"fmt"
	"maps"

	"behalf.dev/behalf/shared/fault"
)

// ChooseMode is how one place is found among those that an account can reach.
type ChooseMode string

// The ways: a person chooses, unless there is only one; the first; the one whose id was captured; the answer is one object and no list.
const (
	ChooseOne     ChooseMode = "one"
	ChooseFirst   ChooseMode = "first"
	ChooseByParam ChooseMode = "by_param"
	ChooseNothing ChooseMode = ""
)

// maxPlaces bounds how many places of an account are offered; the list is stored with the link.
const maxPlaces = 100

// Place is something that an account can reach and a connection is for: a site, a company, an installation.
type Place struct {
	ID     string            `json:"id"`
	Label  string            `json:"label"`
	Detail string            `json:"detail,omitempty"`
	Meta   map[string]string `json:"meta"`
}

// PostConnects is how many requests follow the exchange.
func (c *Connector) PostConnects() int { return len(c.m.PostConnect) }

// MayAsk reports that a person may have to choose after consent.
func (c *Connector) MayAsk() bool {
	for _, p := range c.m.PostConnect {
		if p.Choose == ChooseOne {
			return true
		}
	}
	return false
}

// PostConnectRequest is request i after the exchange, without the credential.
func (c *Connector) PostConnectRequest(i int, meta map[string]string) (Request, error) {
	u, err := c.url(postConnectURL(i), meta, nil)
	if err != nil {
		return Request{}, err
	}
	spec := c.m.PostConnect[i].Request
	r := Request{Method: spec.Method, URL: u, Header: c.earlyHeader(meta), Auth: c.APIAuth}
	if spec.Body != nil {
		r.ContentType = "application/json"
		r.Body, err = encodeJSON(spec.Body)
	}
	return r, err
}

func postConnectURL(i int) string { return fmt.Sprintf("post_connect[%d]", i) }

// Places reads the answer to request i: the places to choose from, one where nothing is to be chosen. meta is what is known
// so far, and before what the connection had, nil for a new one: it stays with the place that it was for. It returns
// fault.ProviderError when the answer cannot be read, fault.Conflict when nothing in it will do, and fault.Forbidden when
// what came through the browser is not among what the account can reach.
func (c *Connector) Places(i int, body []byte, meta, before map[string]string) ([]Place, error) {
	spec := c.m.PostConnect[i]
	doc, err := decodeJSON(body)
	if err != nil {
		return nil, fault.New(fault.ProviderError, "%s answered with something that is not JSON when it was asked what the account can reach", c.ID).WithCause(err)
	}
	if spec.Choose == ChooseNothing {
		p, err := c.place(spec, doc)
		return []Place{p}, err
	}
	all, err := c.places(spec, doc)
	if err != nil {
		return nil, err
	}
	switch spec.Choose {
	case ChooseFirst:
		return all[:1], nil
	case ChooseByParam:
		for _, p := range all {
			if p.ID == meta[spec.Param] && p.ID != "" {
				return []Place{p}, nil
			}
		}
		return nil, fault.New(fault.Forbidden, "what was chosen at %s is not among what this account can reach there; nothing was connected", c.Name).With("reason", "not_yours")
	}
	for _, p := range all {
		if name := spec.idName(); before[name] != "" && before[name] == p.ID {
			return []Place{p}, nil
		}
	}
	return all, nil
}

// idName is the metadata that the id of a place becomes.
func (p postConnectSpec) idName() string {
	for name, path := range p.Capture {
		if path == p.ID {
			return name
		}
	}
	return ""
}

// ChoosesAnew reports that a connection with the metadata before was for another place than the one chosen, as far as request i tells.
func (c *Connector) ChoosesAnew(i int, before map[string]string, chosen Place) bool {
	name := c.m.PostConnect[i].idName()
	return c.m.PostConnect[i].Choose != ChooseNothing && before[name] != "" && before[name] != chosen.ID
}

func (c *Connector) places(spec postConnectSpec, doc any) ([]Place, error) {
	path := spec.Items
	if path == wholeBody {
		path = ""
	}
	found, _ := lookup(doc, path)
	list, ok := found.([]any)
	if !ok {
		return nil, fault.New(fault.ProviderError, "%s did not say what the account can reach", c.ID)
	}
	var out []Place
	for _, item := range list {
		if p, err := c.place(spec, item); err == nil && p.ID != "" && len(out) < maxPlaces {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Conflict, "this account can reach nothing at %s that could be connected", c.Name).With("reason", "nothing_to_connect")
	}
	return out, nil
}

// place reads one item. A host that it names must be in that host's list.
func (c *Connector) place(spec postConnectSpec, item any) (Place, error) {
	p := Place{Meta: map[string]string{}}
	if spec.ID != "" {
		p.ID, _ = lookupText(item, spec.ID)
		p.Label, _ = lookupText(item, spec.Label)
		if spec.Detail != "" {
			p.Detail, _ = lookupText(item, spec.Detail)
		}
		p.Label, p.Detail = clip(p.Label, 120), clip(p.Detail, 200)
		if p.Label == "" {
			p.Label = clip(p.ID, 120)
		}
		if len(p.ID) > maxMetadata {
			p.ID = ""
		}
	}
	for name, path := range spec.Capture {
		if v, _ := lookupText(item, path); v != "" && len(v) <= maxMetadata {
			p.Meta[name] = v
		} else {
			return p, fault.New(fault.ProviderError, "%s did not say %s of what the account can reach", c.ID, name)
		}
	}
	return p, c.checkCapturedHosts(p.Meta)
}

// Merge is meta with that of the place over it.
func (p Place) Merge(meta map[string]string) map[string]string {
	out := maps.Clone(meta)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, p.Meta)
	return out
}
