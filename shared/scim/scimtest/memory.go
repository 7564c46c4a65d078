package scimtest

import (
	"context"
	"slices"
	"sync"

	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
)

// Memory is a scim.Store and a scim.GroupStore in memory. It keeps records, not structs: what scim.User.Record loses,
// it loses too. Make one with NewMemory.
type Memory struct {
	mu     sync.Mutex
	users  map[tenant.ID]map[string][]byte
	groups map[tenant.ID]map[string][]byte
}

var (
	_ scim.Store      = (*Memory)(nil)
	_ scim.GroupStore = (*Memory)(nil)
)

// NewMemory gives an empty store.
func NewMemory() *Memory {
	return &Memory{users: map[tenant.ID]map[string][]byte{}, groups: map[tenant.ID]map[string][]byte{}}
}

// GetUser implements scim.UserReader.
func (m *Memory) GetUser(_ context.Context, t tenant.ID, id string) (scim.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user(t, id)
}

func (m *Memory) user(t tenant.ID, id string) (scim.User, error) {
	b, ok := m.users[t][id]
	if !ok {
		return scim.User{}, scim.Missing("User", id)
	}
	return scim.ParseRecord(b)
}

// FindUser implements scim.UserReader.
func (m *Memory) FindUser(_ context.Context, t tenant.ID, by scim.Lookup, value string) (scim.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range sorted(m.users[t]) {
		u, err := m.user(t, id)
		if err != nil {
			return scim.User{}, err
		}
		if by == scim.ByExternalID && value != "" && u.ExternalID == value ||
			by == scim.ByUserName && scim.UserNameKey(u.UserName) == scim.UserNameKey(value) {
			return u, nil
		}
	}
	return scim.User{}, scim.Missing("User", value)
}

// ListUsers implements scim.UserReader. The cursor is the last id of the page before.
func (m *Memory) ListUsers(_ context.Context, t tenant.ID, cursor string, limit int) (scim.UserPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var page scim.UserPage
	for _, id := range sorted(m.users[t]) {
		if id <= cursor {
			continue
		}
		if len(page.Users) == limit {
			page.Next = page.Users[limit-1].ID
			break
		}
		u, err := m.user(t, id)
		if err != nil {
			return page, err
		}
		page.Users = append(page.Users, u)
	}
	return page, nil
}

// CreateUser implements scim.UserWriter.
func (m *Memory) CreateUser(_ context.Context, t tenant.ID, u scim.User) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(t, u)
}

// ReplaceUser implements scim.UserWriter.
func (m *Memory) ReplaceUser(_ context.Context, t tenant.ID, old, changed scim.User) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.still(t, old); err != nil {
		return err
	}
	return m.put(t, changed)
}

// DeleteUser implements scim.UserWriter.
func (m *Memory) DeleteUser(_ context.Context, t tenant.ID, old scim.User) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.still(t, old); err != nil {
		return err
	}
	delete(m.users[t], old.ID)
	return nil
}

func (m *Memory) still(t tenant.ID, old scim.User) error {
	now, err := m.user(t, old.ID)
	if err == nil && now.Meta.Version != old.Meta.Version {
		return scim.Stale()
	}
	return err
}

// put checks uniqueness and stores u.
func (m *Memory) put(t tenant.ID, u scim.User) error {
	for id := range m.users[t] {
		o, err := m.user(t, id)
		switch {
		case err != nil:
			return err
		case id == u.ID:
		case scim.UserNameKey(o.UserName) == scim.UserNameKey(u.UserName):
			return scim.Taken("userName")
		case u.ExternalID != "" && o.ExternalID == u.ExternalID:
			return scim.Taken("externalId")
		}
	}
	b, err := u.Record()
	if err != nil {
		return err
	}
	if m.users[t] == nil {
		m.users[t] = map[string][]byte{}
	}
	m.users[t][u.ID] = b
	return nil
}

func sorted(m map[string][]byte) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
