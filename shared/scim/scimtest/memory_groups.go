package scimtest

import (
	"bytes"
	"context"
	"slices"

	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
)

// GetGroup implements scim.GroupReader.
func (m *Memory) GetGroup(_ context.Context, t tenant.ID, id string) (scim.Group, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.group(t, id)
}

func (m *Memory) group(t tenant.ID, id string) (scim.Group, error) {
	b, ok := m.groups[t][id]
	if !ok {
		return scim.Group{}, scim.Missing("Group", id)
	}
	return scim.ParseGroupRecord(b)
}

// ListGroups implements scim.GroupReader. The cursor is the last id of the page before.
func (m *Memory) ListGroups(_ context.Context, t tenant.ID, cursor string, limit int) (scim.GroupPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var page scim.GroupPage
	for _, id := range sorted(m.groups[t]) {
		if id <= cursor {
			continue
		}
		if len(page.Groups) == limit {
			page.Next = page.Groups[limit-1].ID
			break
		}
		g, err := m.group(t, id)
		if err != nil {
			return page, err
		}
		page.Groups = append(page.Groups, g)
	}
	return page, nil
}

// GroupsOf implements scim.GroupReader.
func (m *Memory) GroupsOf(_ context.Context, t tenant.ID, member string) ([]scim.Reference, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var refs []scim.Reference
	for _, id := range sorted(m.groups[t]) {
		g, err := m.group(t, id)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(g.Members, func(r scim.Reference) bool { return r.Value == member }) {
			refs = append(refs, scim.Reference{Value: g.ID, Display: g.DisplayName})
		}
	}
	return refs, nil
}

// GroupIDsOf implements scim.GroupReader.
func (m *Memory) GroupIDsOf(_ context.Context, t tenant.ID, member string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, id := range sorted(m.groups[t]) {
		if bytes.Contains(m.groups[t][id], []byte(`"`+member+`"`)) {
			out = append(out, id)
		}
	}
	return out, nil
}

// CreateGroup implements scim.GroupWriter.
func (m *Memory) CreateGroup(_ context.Context, t tenant.ID, g scim.Group) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.putGroup(t, g)
}

// ReplaceGroup implements scim.GroupWriter.
func (m *Memory) ReplaceGroup(_ context.Context, t tenant.ID, old, changed scim.Group) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stillGroup(t, old); err != nil {
		return err
	}
	return m.putGroup(t, changed)
}

// DeleteGroup implements scim.GroupWriter.
func (m *Memory) DeleteGroup(_ context.Context, t tenant.ID, old scim.Group) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stillGroup(t, old); err != nil {
		return err
	}
	delete(m.groups[t], old.ID)
	return nil
}

func (m *Memory) stillGroup(t tenant.ID, old scim.Group) error {
	now, err := m.group(t, old.ID)
	if err == nil && now.Meta.Version != old.Meta.Version {
		return scim.Stale()
	}
	return err
}

func (m *Memory) putGroup(t tenant.ID, g scim.Group) error {
	for id := range m.groups[t] {
		o, err := m.group(t, id)
		if err != nil {
			return err
		}
		if id != g.ID && g.ExternalID != "" && o.ExternalID == g.ExternalID {
			return scim.Taken("externalId")
		}
	}
	b, err := g.Record()
	if err != nil {
		return err
	}
	if m.groups[t] == nil {
		m.groups[t] = map[string][]byte{}
	}
	m.groups[t][g.ID] = b
	return nil
}
