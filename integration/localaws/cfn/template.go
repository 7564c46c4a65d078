package cfn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Resource is one resource of a stack with its properties still unresolved.
type Resource struct {
	Stack, LogicalID, Type string
	Properties             map[string]any
}

// Attributes answers what a resource is: attr "" asks for its Ref.
type Attributes func(r *Resource, attr string) (string, error)

// Environment holds the values of the pseudo parameters.
type Environment struct{ Region, Account string }

type template struct {
	Parameters map[string]struct{ Default any }
	Mappings   map[string]map[string]map[string]any
	Conditions map[string]any
	Resources  map[string]struct {
		Type, Condition string
		Properties      map[string]any
	}
	Outputs map[string]struct {
		Value     any
		Condition string
		Export    *struct{ Name any }
	}
}

// Set is a group of stacks that may import from each other.
type Set struct {
	env       Environment
	attrs     Attributes
	stacks    map[string]*template
	resources map[string]map[string]*Resource // by stack and logical id
	exports   map[string]export
	resolving map[string]bool // conditions and imports under way, to find cycles
}

type export struct {
	stack string
	value any
}

// Load parses the templates by stack name. attrs is called while properties are resolved.
func Load(templates map[string][]byte, env Environment, attrs Attributes) (*Set, error) {
	s := &Set{env: env, attrs: attrs, stacks: map[string]*template{}, resources: map[string]map[string]*Resource{}, resolving: map[string]bool{}}
	for name, doc := range templates {
		d := json.NewDecoder(bytes.NewReader(doc))
		d.UseNumber()
		var t template
		if err := d.Decode(&t); err != nil {
			return nil, fmt.Errorf("parse template %s: %w", name, err)
		}
		s.stacks[name] = &t
	}
	for name, t := range s.stacks {
		s.resources[name] = map[string]*Resource{}
		for id, r := range t.Resources {
			ok, err := s.condition(name, r.Condition)
			if err != nil {
				return nil, err
			}
			if ok {
				s.resources[name][id] = &Resource{Stack: name, LogicalID: id, Type: r.Type, Properties: r.Properties}
			}
		}
	}
	return s, nil
}

// Each calls f for all resources of the given types, ordered by stack and logical id.
func (s *Set) Each(f func(r *Resource) error, types ...string) error {
	for _, stack := range slices.Sorted(maps.Keys(s.resources)) {
		for _, id := range slices.Sorted(maps.Keys(s.resources[stack])) {
			r := s.resources[stack][id]
			if len(types) > 0 && !slices.Contains(types, r.Type) {
				continue
			}
			if err := f(r); err != nil {
				return fmt.Errorf("deploy %s of stack %s (%s): %w", id, stack, r.Type, err)
			}
		}
	}
	return nil
}

// Decode resolves the properties of a resource into a struct with encoding/json rules.
func (s *Set) Decode(r *Resource, to any) error {
	v, err := s.resolve(r.Stack, map[string]any(r.Properties))
	if err != nil {
		return err
	}
	return remarshal(v, to)
}

// Property resolves one property; the result is nil when it is absent.
func (s *Set) Property(r *Resource, name string) (any, error) {
	v, ok := r.Properties[name]
	if !ok {
		return nil, nil
	}
	v, err := s.resolve(r.Stack, v)
	if v == (noValue{}) {
		v = nil
	}
	return v, err
}

func remarshal(v, to any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode properties: %w", err)
	}
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("decode properties: %w", err)
	}
	return nil
}

// Outputs resolves the outputs of all stacks, by "Stack.Output".
func (s *Set) Outputs() (map[string]string, error) {
	out := map[string]string{}
	for name, t := range s.stacks {
		for key, o := range t.Outputs {
			ok, err := s.condition(name, o.Condition)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			v, err := s.resolve(name, o.Value)
			if err != nil {
				return nil, fmt.Errorf("output %s of stack %s: %w", key, name, err)
			}
			out[name+"."+key] = text(v)
		}
	}
	return out, nil
}

// importValue finds an export of any stack.
func (s *Set) importValue(name string) (any, error) {
	if s.exports == nil {
		exports := map[string]export{}
		for stack, t := range s.stacks {
			for _, o := range t.Outputs {
				if o.Export == nil {
					continue
				}
				n, err := s.resolve(stack, o.Export.Name)
				if err != nil {
					return nil, err
				}
				exports[text(n)] = export{stack, o.Value}
			}
		}
		s.exports = exports
	}
	e, ok := s.exports[name]
	if !ok {
		return nil, fmt.Errorf("no stack exports %q", name)
	}
	if s.resolving["import "+name] {
		return nil, fmt.Errorf("import %q depends on itself", name)
	}
	s.resolving["import "+name] = true
	defer delete(s.resolving, "import "+name)
	return s.resolve(e.stack, e.value)
}
