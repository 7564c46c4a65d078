package memory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// deletedView is the document of the mark that a deleted view leaves.
const deletedView = "null"

// View reads one of the tenant's views; fault.NotFound when there is none, with the version of the mark of a deleted one.
func (s *Store) View(ctx context.Context, t tenant.ID, name string) (v toolcall.View, err error) {
	err = s.do(ctx, "View", func() error {
		r := s.views[idKey{t, name}]
		v.Version = r.version
		if r.version == 0 || string(r.doc) == deletedView {
			return fault.New(fault.NotFound, "tenant %q has no view %q", t, name).WithField("view")
		}
		return r.decode(&v)
	})
	return v, err
}

// ViewFor reads the view that a session of the tenant gets by a name: the tenant's own, else that of the whole deployment.
func (s *Store) ViewFor(ctx context.Context, t tenant.ID, name string) (v toolcall.View, err error) {
	err = s.do(ctx, "ViewFor", func() error {
		for _, owner := range []tenant.ID{t, tenant.Deployment} {
			r := s.views[idKey{owner, name}]
			if r.version > 0 && string(r.doc) != deletedView {
				v.Version = r.version
				return r.decode(&v)
			}
		}
		return fault.New(fault.NotFound, "tenant %q has no view %q", t, name).WithField("view")
	})
	return v, err
}

// PutView writes a view if the stored version is v's (0: never there); fault.Conflict otherwise.
func (s *Store) PutView(ctx context.Context, t tenant.ID, v toolcall.View) error {
	return s.do(ctx, "PutView", func() error {
		if s.views[idKey{t, v.Name}].version != v.Version {
			return errLost
		}
		r, err := encode(v, v.Version+1)
		if err == nil {
			s.views[idKey{t, v.Name}] = r
		}
		return err
	})
}

// DeleteView removes a view if the stored version is v's; fault.Conflict otherwise.
func (s *Store) DeleteView(ctx context.Context, t tenant.ID, v toolcall.View) error {
	return s.do(ctx, "DeleteView", func() error {
		if s.views[idKey{t, v.Name}].version != v.Version {
			return errLost
		}
		s.views[idKey{t, v.Name}] = row{[]byte(deletedView), v.Version + 1}
		return nil
	})
}

// Views lists a page of the tenant's views behind after, by name; next is empty at the end.
func (s *Store) Views(ctx context.Context, t tenant.ID, after string, limit int) (out []toolcall.View, next string, err error) {
	err = s.do(ctx, "Views", func() error {
		keys := slices.SortedFunc(maps.Keys(s.views), func(a, b idKey) int { return strings.Compare(a.id, b.id) })
		for _, k := range keys {
			if k.tenant != t || k.id <= after || string(s.views[k].doc) == deletedView {
				continue
			}
			if len(out) == limit {
				next = out[limit-1].Name
				return nil
			}
			v := toolcall.View{}
			if err := s.views[k].decode(&v); err != nil {
				return err
			}
			v.Version = s.views[k].version
			out = append(out, v)
		}
		return nil
	})
	return out, next, err
}
