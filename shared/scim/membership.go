package scim

import (
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Memberships is told in which groups a principal is, for policies. The call is repeated freely, so it must be idempotent and
// cheap when nothing changes.
type Memberships interface {
	// SetGroups replaces the groups of p: their display names, sorted, none twice.
	SetGroups(ctx context.Context, t tenant.ID, p tenant.Principal, groups []string) error
}

// WithMemberships gives a copy that keeps m in step with the groups: before a request about a group or a user is answered,
// the groups of all principals that it touches are told.
//
// A group's record says whose principals are not told yet (Group.Unsettled), written together with the change itself. A
// request that fails in between has failed, and whoever touches the group next, the directory's retry as a rule, finishes it.
// Members that are groups themselves are passed over: directories flatten what they send.
func (s *Service) WithMemberships(m Memberships) *Service {
	c := *s
	c.told = m
	return &c
}

const (
	// everyMember in Group.Unsettled stands for all present members, or those with an id greater than what follows it.
	everyMember = "*"
	// maxNamed is how many added members are named before everyMember stands for them.
	maxNamed = 200
	// toldAStep is how many users are told before that is noted.
	toldAStep = 500
	// toldAtOnce bounds the principals that are told at the same time.
	toldAtOnce = 32
	// maxPasses bounds how often the groups of a principal are told again because they changed meanwhile.
	maxPasses = 8
)

// unsettled is whose principals have to be told once old has become next, with those that old had left.
func unsettled(old, next Group) []string {
	was, is := ids(old.Members), ids(next.Members)
	out := slices.Clone(old.Unsettled)
	var added []string
	for id := range is {
		if !was[id] {
			added = append(added, id)
		}
	}
	for id := range was {
		if !is[id] { // everyMember no longer stands for this one
			out = append(out, id)
		}
	}
	if renamed := old.ID != "" && old.DisplayName != next.DisplayName && len(is) > 0; renamed || len(added) > maxNamed {
		added = []string{everyMember}
	}
	out = append(out, added...)
	slices.Sort(out)
	return slices.Compact(out)
}

func ids(members []Reference) map[string]bool {
	out := make(map[string]bool, len(members))
	for _, m := range members {
		out[m.Value] = true
	}
	return out
}

// settle tells the principals that g's record says are not told, and takes the note out of the record, in steps: a group too
// large for one request is finished by its repetitions.
func (s *Service) settle(ctx context.Context, t tenant.ID, g Group) (Group, error) {
	if s.told == nil || len(g.Unsettled) == 0 {
		return g, nil
	}
	noted := true
	for who := g.awaiting(); ; {
		n := min(toldAStep, len(who))
		if err := s.tell(ctx, t, who[:n]); err != nil {
			return g, untold(err)
		}
		next := g
		next.Unsettled = nil
		next.Meta.Version++
		if n < len(who) {
			next.Unsettled = rest(g.Unsettled, who[n-1])
		}
		if noted {
			err := s.groups.ReplaceGroup(ctx, t, g, next)
			noted = !IsStale(err) && !fault.Is(err, fault.NotFound) // another writer took the note over, whole
			switch {
			case noted && err != nil:
				return g, untold(err)
			case noted:
				g = next
			}
		}
		if who = who[n:]; len(who) == 0 {
			return g, nil
		}
	}
}

// awaiting are the users that g.Unsettled stands for, sorted.
func (g Group) awaiting() []string {
	var out []string
	for _, e := range g.Unsettled {
		after, several := strings.CutPrefix(e, everyMember)
		if !several {
			out = append(out, e)
			continue
		}
		for id := range ids(g.Members) {
			if id > after {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// rest is what is left of unsettled when all users up to last are told.
func rest(unsettled []string, last string) []string {
	var out []string
	for _, e := range unsettled {
		after, several := strings.CutPrefix(e, everyMember)
		switch {
		case several:
			out = append(out, everyMember+max(after, last))
		case e > last:
			out = append(out, e)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func untold(err error) error {
	return fault.New(fault.Internal, "the group was stored, but not all of its members' principals have been told; send the request again").WithCause(err)
}

// tell writes the groups of these users' principals. It looks again after it wrote: of two requests that change groups of one
// user at once, each sees its own change, and the one that writes last must have seen both. A pass reads each group once.
func (s *Service) tell(ctx context.Context, t tenant.ID, users []string) error {
	m, err := s.mapping(ctx, t)
	if err != nil {
		return err
	}
	wrote := make([][]string, len(users))
	open := make([]int, len(users))
	for i := range users {
		open[i] = i
	}
	for range maxPasses {
		p := &pass{s: s, t: t, mapping: m, groups: map[string]*cached{}}
		changed := make([]bool, len(users))
		all, actx := errgroup.WithContext(ctx)
		all.SetLimit(toldAtOnce)
		for _, i := range open {
			all.Go(func() (err error) {
				wrote[i], changed[i], err = p.user(actx, users[i], wrote[i])
				return err
			})
		}
		if err := all.Wait(); err != nil {
			return err
		}
		if open = slices.DeleteFunc(open, func(i int) bool { return !changed[i] }); len(open) == 0 {
			return nil
		}
	}
	return contention()
}

// pass is one look at the groups of many users.
type pass struct {
	s       *Service
	t       tenant.ID
	mapping Mapping

	mu     sync.Mutex
	groups map[string]*cached
}

type cached struct {
	once    sync.Once
	name    string
	members map[string]bool
	err     error
}

// user tells the principals of one user, unless before is what they were told already. It returns what they are told now, and
// whether that was new.
func (p *pass) user(ctx context.Context, id string, before []string) (now []string, changed bool, err error) {
	if now, err = p.names(ctx, id); err != nil || before != nil && slices.Equal(now, before) {
		return now, false, err
	}
	u, err := p.s.store.GetUser(ctx, p.t, id)
	if fault.Is(err, fault.NotFound) {
		return now, false, nil // deleted, or no user
	}
	if err != nil {
		return nil, false, err
	}
	for _, who := range PrincipalsOf(u, p.mapping) {
		if err := p.s.told.SetGroups(ctx, p.t, who, now); err != nil {
			return nil, false, err
		}
	}
	return now, true, nil
}

// names are the display names of the groups that have this member; never nil.
func (p *pass) names(ctx context.Context, member string) ([]string, error) {
	perhaps, err := p.s.groups.GroupIDsOf(ctx, p.t, member)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, id := range perhaps {
		g := p.group(ctx, id)
		if g.err != nil {
			return nil, g.err
		}
		if g.members[member] {
			out = append(out, g.name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (p *pass) group(ctx context.Context, id string) *cached {
	p.mu.Lock()
	c := p.groups[id]
	if c == nil {
		c = &cached{}
		p.groups[id] = c
	}
	p.mu.Unlock()
	c.once.Do(func() {
		g, err := p.s.groups.GetGroup(ctx, p.t, id)
		if fault.Is(err, fault.NotFound) {
			return
		}
		c.name, c.members, c.err = g.DisplayName, ids(g.Members), err
	})
	return c
}

// assign tells the principals of a user that was written, if they changed or were suspended: those that it has, and those that
// it left. It comes before access is given back, so nobody acts for a moment without the groups that a policy denies.
func (s *Service) assign(ctx context.Context, tr *transition) error {
	if s.told == nil || s.groups == nil {
		return nil
	}
	left := without(PrincipalsOf(tr.old, tr.mapping), PrincipalsOf(tr.next, tr.mapping))
	if !tr.next.Restoring && len(left) == 0 {
		return nil
	}
	err := s.disown(ctx, tr.t, left)
	if err == nil {
		err = s.tell(ctx, tr.t, []string{tr.next.ID})
	}
	if err != nil {
		return fault.New(fault.Internal, "the user was stored, but not in which groups the principal is; send the request again").WithCause(err)
	}
	return nil
}

// disown takes principals that no user is behind any more out of all groups.
func (s *Service) disown(ctx context.Context, t tenant.ID, ps []tenant.Principal) error {
	if s.told == nil {
		return nil
	}
	for _, p := range ps {
		if err := s.told.SetGroups(ctx, t, p, nil); err != nil {
			return err
		}
	}
	return nil
}
