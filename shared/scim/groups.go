package scim

import (
	"context"
	"reflect"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// GroupStore keeps the groups of all tenants, on the terms of Store; scimtest.RunGroupStore checks an implementation.
type GroupStore interface {
	GroupReader
	GroupWriter
}

// GroupReader finds groups. A group that does not exist is Missing.
type GroupReader interface {
	GetGroup(ctx context.Context, t tenant.ID, id string) (Group, error)
	// ListGroups gives at most limit groups in ascending order of id.
	ListGroups(ctx context.Context, t tenant.ID, cursor string, limit int) (GroupPage, error)
	// GroupsOf gives the groups that have member among their members, in ascending order of id.
	GroupsOf(ctx context.Context, t tenant.ID, member string) ([]Reference, error)
	// GroupIDsOf gives the ids of all groups that have member among their members, and perhaps of some that have not. It
	// reads no group.
	GroupIDsOf(ctx context.Context, t tenant.ID, member string) ([]string, error)
}

// GroupWriter changes groups. Only a non-empty ExternalID is unique: Entra allows equal display names.
type GroupWriter interface {
	CreateGroup(ctx context.Context, t tenant.ID, g Group) error
	ReplaceGroup(ctx context.Context, t tenant.ID, old, changed Group) error
	DeleteGroup(ctx context.Context, t tenant.ID, old Group) error
}

// GroupPage is a part of a list, as UserPage.
type GroupPage struct {
	Groups []Group
	Next   string
}

// WithGroups gives a copy that serves groups from g. Without it every group call is fault.NotFound.
func (s *Service) WithGroups(g GroupStore) *Service {
	c := *s
	c.groups = g
	return &c
}

func (s *Service) locatedGroup(g Group) Group {
	g.Meta.Location = s.base + "/" + groupResource.endpoint + "/" + g.ID
	return g
}

func (s *Service) served() error {
	if s.groups == nil {
		return fault.New(fault.NotFound, "groups are not served here")
	}
	return nil
}

// CreateGroup adds a group.
func (s *Service) CreateGroup(ctx context.Context, t tenant.ID, body []byte) (Group, error) {
	if err := s.served(); err != nil {
		return Group{}, err
	}
	g, err := readGroup(body)
	if err != nil {
		return Group{}, err
	}
	now := s.now().UTC()
	g.ID = s.ids()
	g.Meta = Meta{Created: now, LastModified: now, Version: 1}
	if s.told != nil {
		g.Unsettled = unsettled(Group{}, g)
	}
	if err := s.groups.CreateGroup(ctx, t, g); err != nil {
		return Group{}, err
	}
	if g, err = s.settle(ctx, t, g); err != nil {
		return Group{}, err
	}
	return s.locatedGroup(g), nil
}

func readGroup(body []byte) (Group, error) {
	d, err := decodeObject(body)
	if err != nil {
		return Group{}, err
	}
	if d, err = groupResource.normalise(d); err != nil {
		return Group{}, err
	}
	return groupFrom(d)
}

// GetGroup reads one group, fault.NotFound if there is none.
func (s *Service) GetGroup(ctx context.Context, t tenant.ID, id string) (Group, error) {
	if err := s.served(); err != nil {
		return Group{}, err
	}
	g, err := s.groups.GetGroup(ctx, t, id)
	if err == nil { // of a request that failed half-way
		g, err = s.settle(ctx, t, g)
	}
	if err != nil {
		return Group{}, err
	}
	return s.locatedGroup(g), nil
}

// ListGroups finds groups as List finds users; only id is looked up directly.
func (s *Service) ListGroups(ctx context.Context, t tenant.ID, req ListRequest) (ListResponse, error) {
	if err := s.served(); err != nil {
		return ListResponse{}, err
	}
	x, err := parseFilter(req.Filter)
	if err != nil {
		return ListResponse{}, err
	}
	l := newLister(groupResource, x, req, s.walkLimit)
	if attr, value, ok := exact(x); ok && attr == "id" {
		g, err := s.groups.GetGroup(ctx, t, value)
		if err == nil {
			err = l.add(s.locatedGroup(g).document())
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return ListResponse{}, err
		}
		return l.response, nil
	}
	for cursor := ""; ; {
		page, err := s.groups.ListGroups(ctx, t, cursor, pageSize)
		if err != nil {
			return ListResponse{}, err
		}
		for _, g := range page.Groups {
			if g, err = s.settle(ctx, t, g); err != nil {
				return ListResponse{}, err
			}
			if err := l.add(s.locatedGroup(g).document()); err != nil {
				return ListResponse{}, err
			}
		}
		if cursor = page.Next; cursor == "" {
			return l.response, nil
		}
	}
}

// ReplaceGroup is PUT on a group.
func (s *Service) ReplaceGroup(ctx context.Context, t tenant.ID, id string, body []byte, ifMatch string) (Group, error) {
	next, err := readGroup(body)
	if err != nil {
		return Group{}, err
	}
	return s.changeGroup(ctx, t, id, ifMatch, func(Group) (Group, error) { return next, nil })
}

// PatchGroup applies a PatchOp message to a group: all of its operations or none.
func (s *Service) PatchGroup(ctx context.Context, t tenant.ID, id string, body []byte, ifMatch string) (Group, error) {
	ops, err := readPatch(body)
	if err != nil {
		return Group{}, err
	}
	return s.changeGroup(ctx, t, id, ifMatch, func(old Group) (Group, error) {
		d, err := groupResource.apply(old.ID, old.attributes(), ops)
		if err != nil {
			return Group{}, err
		}
		return groupFrom(d)
	})
}

func (s *Service) changeGroup(ctx context.Context, t tenant.ID, id, ifMatch string, edit func(Group) (Group, error)) (Group, error) {
	if err := s.served(); err != nil {
		return Group{}, err
	}
	for range maxAttempts {
		old, err := s.groups.GetGroup(ctx, t, id)
		if err != nil {
			return Group{}, err
		}
		if !matches(ifMatch, old.Meta) {
			return Group{}, Stale()
		}
		next, err := edit(old)
		if err != nil {
			return Group{}, err
		}
		if reflect.DeepEqual(old.attributes(), next.attributes()) {
			old, err = s.settle(ctx, t, old)
			return s.locatedGroup(old), err
		}
		next.ID = old.ID
		next.Meta = Meta{Created: old.Meta.Created, LastModified: s.now().UTC(), Version: old.Meta.Version + 1}
		if s.told != nil {
			next.Unsettled = unsettled(old, next)
		}
		if err = s.groups.ReplaceGroup(ctx, t, old, next); err == nil {
			next, err = s.settle(ctx, t, next)
			return s.locatedGroup(next), err
		}
		if !IsStale(err) {
			return Group{}, err
		}
	}
	return Group{}, contention()
}

// DeleteGroup removes a group. Its members keep their access: groups grant none.
func (s *Service) DeleteGroup(ctx context.Context, t tenant.ID, id, ifMatch string) error {
	if err := s.served(); err != nil {
		return err
	}
	for range maxAttempts {
		old, err := s.groups.GetGroup(ctx, t, id)
		if err != nil {
			return err
		}
		if !matches(ifMatch, old.Meta) {
			return Stale()
		}
		if s.told != nil && (len(old.Members) > 0 || len(old.Unsettled) > 0) {
			// Emptied first: a deleted group could not say any more whose principals have to be told.
			empty := func(g Group) (Group, error) { g.Members = nil; return g, nil }
			if old, err = s.changeGroup(ctx, t, id, ifMatch, empty); err != nil {
				return err
			}
			ifMatch = "" // it was met; emptying made a new version
		}
		if err = s.groups.DeleteGroup(ctx, t, old); err == nil || !IsStale(err) {
			return err
		}
	}
	return contention()
}

// groupsOf gives the read-only groups attribute of a user.
func (s *Service) groupsOf(ctx context.Context, t tenant.ID, id string) ([]Reference, error) {
	if s.groups == nil {
		return nil, nil
	}
	return s.groups.GroupsOf(ctx, t, id)
}

// forget takes a deleted user out of its groups.
func (s *Service) forget(ctx context.Context, t tenant.ID, id string) error {
	refs, err := s.groupsOf(ctx, t, id)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		_, err := s.changeGroup(ctx, t, ref.Value, "", func(g Group) (Group, error) {
			var kept []Reference
			for _, m := range g.Members {
				if m.Value != id {
					kept = append(kept, m)
				}
			}
			g.Members = kept
			return g, nil
		})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}
