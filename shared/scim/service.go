package scim

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

const (
	// maxAttempts bounds how often a write without If-Match is retried after a version conflict.
	maxAttempts = 8
	// DefaultWalkLimit bounds how many resources one List reads.
	DefaultWalkLimit = 10_000
)

// Service answers SCIM requests about the users of a tenant. It is safe for concurrent use.
type Service struct {
	store     Store
	groups    GroupStore
	life      Lifecycle
	told      Memberships
	mappings  Mappings
	now       func() time.Time
	ids       func() string
	base      string
	walkLimit int
}

// New makes a Service in which externalId is every tenant's principal. ids must give a new opaque id at each call.
func New(store Store, life Lifecycle, now func() time.Time, ids func() string) *Service {
	return &Service{store: store, life: life, now: now, ids: ids, walkLimit: DefaultWalkLimit}
}

// WithMappings gives a copy that asks m which attribute is the principal.
func (s *Service) WithMappings(m Mappings) *Service {
	c := *s
	c.mappings = m
	return &c
}

// WithLocation gives a copy that puts base ("https://host/scim/v2") before the paths in meta.location.
func (s *Service) WithLocation(base string) *Service {
	c := *s
	c.base = strings.TrimSuffix(base, "/")
	return &c
}

// WithWalkLimit gives a copy in which one List reads at most n resources; a List that would need more is tooMany.
func (s *Service) WithWalkLimit(n int) *Service {
	c := *s
	c.walkLimit = n
	return &c
}

func (s *Service) mapping(ctx context.Context, t tenant.ID) (Mapping, error) {
	if s.mappings == nil {
		return MapExternalID, nil
	}
	return s.mappings.PrincipalMapping(ctx, t)
}

func (s *Service) located(u User) User {
	u.Meta.Location = s.base + "/" + userResource.endpoint + "/" + u.ID
	return u
}

// Create adds a user (RFC 7644, section 3.3). It returns invalidSyntax, invalidValue or uniqueness failures.
func (s *Service) Create(ctx context.Context, t tenant.ID, body []byte) (User, error) {
	next, err := readUser(body, true)
	if err != nil {
		return User{}, err
	}
	m, err := s.mapping(ctx, t)
	if err != nil {
		return User{}, err
	}
	now := s.now().UTC()
	next.ID = s.ids()
	next.Meta = Meta{Created: now, LastModified: now, Version: 1}
	u, err := s.write(ctx, &transition{t: t, next: next, mapping: m})
	if err != nil {
		return User{}, err
	}
	return s.located(u), nil
}

// readUser decodes a whole user. active decides when the body does not say.
func readUser(body []byte, active bool) (User, error) {
	d, err := decodeObject(body)
	if err != nil {
		return User{}, err
	}
	if d, err = userResource.normalise(d); err != nil {
		return User{}, err
	}
	return userFrom(d, active)
}

// Get reads one user, fault.NotFound if there is none.
func (s *Service) Get(ctx context.Context, t tenant.ID, id string) (User, error) {
	u, err := s.store.GetUser(ctx, t, id)
	if err != nil {
		return User{}, err
	}
	if u.Groups, err = s.groupsOf(ctx, t, id); err != nil {
		return User{}, err
	}
	return s.located(u), nil
}

// Replace is PUT (RFC 7644, section 3.5.1). What the body leaves out is cleared, except active: an omission must
// neither offboard a user nor bring one back. ifMatch is the If-Match header, empty when absent.
func (s *Service) Replace(ctx context.Context, t tenant.ID, id string, body []byte, ifMatch string) (User, error) {
	d, err := decodeObject(body)
	if err != nil {
		return User{}, err
	}
	return s.change(ctx, t, id, ifMatch, func(old User) (User, error) {
		if sent, ok := d[keyOf(d, "id")]; ok && sent != nil && sent != old.ID {
			return User{}, failure(Mutability, "id cannot be changed")
		}
		clean, err := userResource.normalise(d)
		if err != nil {
			return User{}, err
		}
		return userFrom(clean, old.Active)
	})
}

// Patch applies a PatchOp message (RFC 7644, section 3.5.2): all of its operations or none.
func (s *Service) Patch(ctx context.Context, t tenant.ID, id string, body []byte, ifMatch string) (User, error) {
	ops, err := readPatch(body)
	if err != nil {
		return User{}, err
	}
	return s.change(ctx, t, id, ifMatch, func(old User) (User, error) {
		d, err := userResource.apply(old.ID, old.attributes(), ops)
		if err != nil {
			return User{}, err
		}
		if _, ok := d["active"]; !ok {
			return User{}, failure(InvalidValue, "active cannot be removed; set it to true or false")
		}
		return userFrom(d, old.Active)
	})
}

// change reads, edits and writes a user. Without If-Match it starts over when another writer was faster.
func (s *Service) change(ctx context.Context, t tenant.ID, id, ifMatch string, edit func(User) (User, error)) (User, error) {
	m, err := s.mapping(ctx, t)
	if err != nil {
		return User{}, err
	}
	tr := transition{t: t, mapping: m}
	for range maxAttempts {
		if tr.old, err = s.store.GetUser(ctx, t, id); err != nil {
			return User{}, err
		}
		if !matches(ifMatch, tr.old.Meta) {
			return User{}, s.undo(ctx, tr, Stale())
		}
		if tr.next, err = edit(tr.old); err != nil {
			return User{}, s.undo(ctx, tr, err)
		}
		tr.next.ID = tr.old.ID
		tr.next.Meta = Meta{Created: tr.old.Meta.Created, LastModified: s.now().UTC(), Version: tr.old.Meta.Version + 1}
		u := tr.old
		if !unchanged(&tr) {
			u, err = s.write(ctx, &tr)
		}
		if err == nil {
			u.Groups, err = s.groupsOf(ctx, t, id)
			return s.located(u), err
		}
		if !IsStale(err) {
			return User{}, err
		}
	}
	return User{}, contention()
}

// unchanged reports that nothing needs to be written. An inactive user is always written: only the version condition
// tells whether somebody is activating the user at this moment.
func unchanged(tr *transition) bool {
	return tr.next.Active && tr.old.Active && !tr.restores() &&
		reflect.DeepEqual(tr.old.attributes(), tr.next.attributes())
}

// Delete suspends and removes a user (RFC 7644, section 3.6).
func (s *Service) Delete(ctx context.Context, t tenant.ID, id, ifMatch string) error {
	m, err := s.mapping(ctx, t)
	if err != nil {
		return err
	}
	tr := transition{t: t, mapping: m}
	for range maxAttempts {
		old, err := s.store.GetUser(ctx, t, id)
		if err != nil {
			return err
		}
		tr.old = old
		if !matches(ifMatch, old.Meta) {
			return s.undo(ctx, tr, Stale())
		}
		ps := PrincipalsOf(old, m)
		tr.suspended = append(tr.suspended, ps...)
		if err := s.suspendAll(ctx, t, ps, ReasonDeleted); err != nil {
			return err
		}
		err = s.store.DeleteUser(ctx, t, old)
		if err == nil && old.Restoring { // see write: an activation under way may have undone the Suspend
			err = s.suspendAll(ctx, t, ps, ReasonDeleted)
		}
		if err == nil {
			if err := s.disown(ctx, t, ps); err != nil {
				return fault.New(fault.Internal, "the user was deleted, but not taken out of all groups").WithCause(err)
			}
			return s.forget(ctx, t, id)
		}
		if !IsStale(err) {
			return err
		}
	}
	return contention()
}

func contention() error {
	// 500 and not 409: identity providers retry the former and report the latter to an administrator.
	return fault.New(fault.Internal, "the resource is being changed by other requests; send the request again")
}

// matches evaluates If-Match by weak comparison (RFC 7644, section 3.14, allows weak tags there).
func matches(ifMatch string, m Meta) bool {
	if strings.TrimSpace(ifMatch) == "" {
		return true
	}
	want := strings.TrimPrefix(m.ETag(), "W/")
	return slices.ContainsFunc(strings.Split(ifMatch, ","), func(tag string) bool {
		tag = strings.TrimSpace(tag)
		return tag == "*" || strings.TrimPrefix(tag, "W/") == want
	})
}
