package ddb

import (
	"maps"
	"slices"
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
)

func (p *page) checkSelect() error {
	r := p.r
	switch {
	case r.selection == "SPECIFIC_ATTRIBUTES" && p.b.proj == nil:
		return awserr.Validation("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case p.b.proj != nil && r.selection != "" && r.selection != "SPECIFIC_ATTRIBUTES":
		return awserr.Validation("Cannot specify the ProjectionExpression when choosing to get %s", r.selection)
	case r.selection == "ALL_ATTRIBUTES" && p.x.keep != nil:
		return awserr.Validation("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", p.x.name)
	}
	return p.checkProjected()
}

// checkProjected refuses expressions on attributes that the index does not keep.
func (p *page) checkProjected() error {
	if p.x.keep == nil || p.t.local(p.x.name) {
		return nil
	}
	missing := map[string]bool{}
	if p.b.proj != nil {
		for _, pa := range p.b.proj.paths {
			if name := pa[0].resolve(p.b.names); !p.x.keep[name] {
				missing[name] = true
			}
		}
	}
	if len(missing) > 0 {
		return awserr.Validation("One or more parameter values were invalid: Global secondary index %s does not project [%s]", p.x.name, nameList(missing))
	}
	if p.b.filter == nil || p.r.op == "Scan" { // a scan just finds the attribute missing
		return nil
	}
	err := p.b.filter.cond.eachPath(func(pa path) error {
		if name := pa[0].resolve(p.b.names); !p.x.keep[name] {
			missing[name] = true
		}
		return nil
	})
	if len(missing) > 0 {
		return awserr.Validation("One or more parameter values were invalid: Secondary index %s does not project one or more filter attributes: [%s]", p.x.name, nameList(missing))
	}
	return err
}

func nameList(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}

// checkFilter refuses a filter on key attributes.
func (p *page) checkFilter() error {
	if p.b.filter == nil {
		return nil
	}
	return p.b.filter.cond.eachPath(func(pa path) error {
		name := pa[0].resolve(p.b.names)
		if name == p.x.hash || name == p.x.sort {
			return awserr.Validation("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", name)
		}
		return nil
	})
}

func (n *node) eachPath(f func(path) error) error {
	for _, k := range n.kids {
		if err := k.eachPath(f); err != nil {
			return err
		}
	}
	for _, o := range n.args {
		if o.path != nil {
			if err := f(o.path); err != nil {
				return err
			}
		}
	}
	return nil
}
