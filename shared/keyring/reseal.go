package keyring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/oauthclient"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

// Order is one step of re-sealing.
type Order struct {
	Tenant tenant.ID
	// Cursor is Report.Cursor of the step before; empty begins a new walk, in place of one that may be under way.
	Cursor string
	// Resume goes on with a walk that is under way, whoever began it; Cursor is not looked at.
	Resume bool
	// RetireAfter is how old a version's successor must be before it is retired: at least MinRetireAfter, zero means
	// RetireAfter.
	RetireAfter time.Duration
	// Until ends the step between two pages, and Limit after about that many connections; zero means no limit.
	Until time.Time
	Limit int
	// By is for the audit trail: an API key id, or "schedule".
	By string
}

// Report is what one step did.
type Report struct {
	// Resealed counts records that were written again; Current those that needed nothing. Skipped were changed by somebody
	// else at that moment: the next walk meets them. Unreadable do not open under any key, whatever one does; what they name is
	// never retired.
	Resealed, Current, Skipped, Unreadable int
	// Cursor continues the walk; empty when it is complete.
	Cursor string
	// Retired are the versions that are gone.
	Retired []vault.Rotation
}

// pageSize is how many connections are read at once, two slots each: one BatchGetItem.
const pageSize = 50

// step is one step under way.
type step struct {
	*Keyring
	Order
	walk   Walk
	newest map[connection.Purpose]vault.WrappedKey
	met    map[string]bool // versions, by seenKey, that this step has met
	out    Report
}

// Reseal takes one step. Doing a step twice is harmless; two walkers at once disturb each other, and one of them gets
// fault.Conflict. It returns fault.InvalidInput for a cursor that is not the walk's.
func (k *Keyring) Reseal(ctx context.Context, o Order) (Report, error) {
	if o.RetireAfter == 0 {
		o.RetireAfter = RetireAfter
	}
	if o.RetireAfter < MinRetireAfter {
		return Report{}, fault.Invalid("/retire_after_seconds", "a version is kept for at least %d seconds after its successor was made", int(MinRetireAfter.Seconds()))
	}
	s := &step{Keyring: k, Order: o, met: map[string]bool{}}
	if err := s.start(ctx); err != nil {
		return Report{}, err
	}
	done, err := s.run(ctx)
	if err != nil {
		return s.out, err
	}
	err = s.finish(ctx, done)
	return s.out, err
}

func (s *step) start(ctx context.Context) error {
	var err error
	if s.walk, err = s.Walks.Walk(ctx, s.Tenant); err != nil {
		return err
	}
	switch {
	case s.Resume && s.walk.Next != "", s.Cursor != "" && s.Cursor == s.walk.Next:
	case s.Cursor != "" && !s.Resume:
		return fault.Invalid("/cursor", "this cursor is not that of the walk under way: another one began, or this step was taken before; leave it out to start over").With("reason", "walk_replaced")
	default:
		s.walk = s.walk.begin(s.Now())
	}
	s.walk.Seen = maps.Clone(s.walk.Seen)
	if s.walk.Seen == nil {
		s.walk.Seen = map[string]time.Time{}
	}
	keys, err := s.Keys.Keys(ctx, s.Tenant)
	if err != nil {
		return err
	}
	s.newest = Newest(keys)
	s.forget(keys)
	return s.Sealer.Renew(ctx, s.Tenant, Purposes(s.Tenant)...)
}

// forget drops what was seen of versions that are gone.
func (s *step) forget(keys []vault.WrappedKey) {
	known := map[string]bool{}
	for _, k := range keys {
		known[seenKey(k.Purpose, k.Version)] = true
	}
	maps.DeleteFunc(s.walk.Seen, func(key string, _ time.Time) bool { return !known[key] })
}

// run goes through records until the end, the time or the limit; done tells that it was the end.
func (s *step) run(ctx context.Context) (done bool, err error) {
	if !s.walk.Clients {
		if err := s.clients(ctx); err != nil {
			return false, err
		}
		if err := s.webhooks(ctx); err != nil {
			return false, err
		}
		s.walk.Clients = true
	}
	for connections := 0; ; {
		slots, next, err := s.Records.StoredSlots(ctx, s.Tenant, s.walk.After, pageSize)
		if err != nil {
			return false, err
		}
		for _, x := range slots {
			if err := s.slot(ctx, x); err != nil {
				return false, fmt.Errorf("re-seal connection %s: %w", x.Ref.ID, err)
			}
		}
		if next == "" {
			return true, nil
		}
		s.walk.After, connections = next, connections+pageSize
		if s.Limit > 0 && connections >= s.Limit || !s.Until.IsZero() && !s.Now().Before(s.Until) {
			return false, nil
		}
	}
}

func (s *step) clients(ctx context.Context) error {
	clients, err := s.Clients.StoredClients(ctx, s.Tenant)
	if err != nil {
		return err
	}
	for _, c := range clients {
		b := oauthclient.Binding(c)
		if stale, err := s.stale(ctx, b, c.Sealed); err != nil || !stale {
			if err != nil {
				return err
			}
			s.count(c.Sealed != nil)
			continue
		}
		sealed, err := s.again(ctx, b, c.Sealed)
		if err == nil {
			err = s.Clients.ResealClient(ctx, c, sealed)
		}
		if err := s.outcome(ctx, "client:"+c.Connector, err); err != nil {
			return fmt.Errorf("re-seal the client of %s: %w", c.Connector, err)
		}
	}
	return nil
}

// webhooks seals the signing secrets of each endpoint again, the replaced one that still signs too: one write for both.
func (s *step) webhooks(ctx context.Context) error {
	endpoints, err := s.Webhooks.Endpoints(ctx, s.Tenant)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		if err := s.webhook(ctx, e); err != nil {
			return fmt.Errorf("re-seal webhook %s: %w", e.ID, err)
		}
	}
	return nil
}

func (s *step) webhook(ctx context.Context, e notify.Endpoint) error {
	e.Secrets = slices.Clone(e.Secrets)
	any := false
	var failed error
	for i, x := range e.Secrets {
		b := notify.Binding(e, x.Number)
		stale, err := s.stale(ctx, b, x.Sealed)
		if err != nil {
			return err
		}
		if !stale {
			continue
		}
		any = true
		if e.Secrets[i].Sealed, err = s.again(ctx, b, x.Sealed); err != nil {
			failed = err
		}
	}
	if !any {
		s.count(len(e.Secrets) > 0)
		return nil
	}
	if failed == nil {
		failed = s.Webhooks.PutEndpoint(ctx, e)
	}
	return s.outcome(ctx, "webhook:"+e.ID, failed)
}

// slot seals the tokens of one slot again that are not under the newest version.
func (s *step) slot(ctx context.Context, x connection.StoredSlot) error {
	access, refresh := x.Slot.Access, x.Slot.Refresh
	any := false
	var failed error
	for p, sealed := range map[connection.Purpose]*[]byte{connection.AccessToken: &access, connection.RefreshToken: &refresh} {
		b := x.Ref.Binding(p, x.Slot.Generation)
		stale, err := s.stale(ctx, b, *sealed)
		if err != nil {
			return err
		}
		if !stale {
			continue
		}
		any = true
		again, err := s.again(ctx, b, *sealed)
		if err != nil {
			failed = err
			continue
		}
		*sealed = again
	}
	if !any {
		s.count(access != nil || refresh != nil)
		return nil
	}
	if failed == nil {
		failed = s.Records.ResealSlot(ctx, x.Ref, x.Slot, access, refresh)
	}
	return s.outcome(ctx, string(x.Ref.ID), failed)
}

func (s *step) count(sealed bool) {
	if sealed {
		s.out.Current++
	}
}

// stale reports that sealed is under an older version than the newest, and puts the version on record before anything is
// done about it: a crash behind the write must not make the version look unused.
func (s *step) stale(ctx context.Context, b connection.Binding, sealed []byte) (bool, error) {
	if sealed == nil {
		return false, nil
	}
	version, err := vault.VersionOf(sealed, b.Purpose)
	if err != nil {
		s.Log.ErrorContext(ctx, "a sealed value is damaged", "record", b.Record, "purpose", b.Purpose, "error", err)
		s.out.Unreadable++
		return false, nil
	}
	if version >= s.newest[b.Purpose].Version {
		return false, nil
	}
	key := seenKey(b.Purpose, version)
	if s.met[key] {
		return true, nil
	}
	s.met[key] = true
	return true, s.save(ctx)
}

// save writes the walk, with the versions that this step has met.
func (s *step) save(ctx context.Context) error {
	for key := range s.met {
		s.walk.Seen[key] = s.Now()
	}
	w, err := s.Walks.PutWalk(ctx, s.Tenant, s.walk)
	if err != nil {
		return fmt.Errorf("note how far re-sealing came: %w", err)
	}
	s.walk = w
	return nil
}

func (s *step) again(ctx context.Context, b connection.Binding, sealed []byte) ([]byte, error) {
	text, err := s.Sealer.Open(ctx, b, sealed)
	if err != nil {
		return nil, err
	}
	return s.Sealer.Seal(ctx, b, text)
}

// outcome counts what became of one record. An error that may pass ends the step.
func (s *step) outcome(ctx context.Context, record string, err error) error {
	switch {
	case err == nil:
		s.out.Resealed++
	case fault.Is(err, fault.Conflict):
		s.out.Skipped++
	case vault.Damaged(err), fault.Is(err, fault.NotFound):
		s.Log.ErrorContext(ctx, "a sealed value does not open", "record", record, "error", err)
		s.out.Unreadable++
	default:
		return err
	}
	return nil
}

// finish ends the step, and with done the walk: then it retires what nothing names.
func (s *step) finish(ctx context.Context, done bool) error {
	s.walk.Next = ""
	if !done {
		s.walk.Next = s.NewID("walk")
		s.out.Cursor = s.walk.Next
		return s.save(ctx)
	}
	if err := s.save(ctx); err != nil { // so that of two walkers only one retires
		return err
	}
	return s.retire(ctx)
}

func (s *step) retire(ctx context.Context) error {
	keys, err := s.Keys.Keys(ctx, s.Tenant)
	if err != nil {
		return err
	}
	for _, k := range keys {
		next, ok := successor(keys, k.Purpose, k.Version)
		if !ok || !s.walk.mayRetire(k.Purpose, k.Version, next.Created, s.Now(), s.RetireAfter) {
			continue
		}
		err := s.Recorder.Record(ctx, audit.Record{ID: s.NewID("aud"), Kind: audit.KeyRetired, Time: s.Now(), Tenant: s.Tenant, Reason: seenKey(k.Purpose, k.Version), By: s.By, Outcome: "succeeded"})
		if err != nil {
			return fmt.Errorf("record that a key is retired: %w", err)
		}
		if err := s.Keys.DeleteKey(ctx, s.Tenant, k.Purpose, k.Version); err != nil {
			return fmt.Errorf("retire version %d of the %s key: %w", k.Version, k.Purpose, err)
		}
		s.out.Retired = append(s.out.Retired, vault.Rotation{Purpose: k.Purpose, Version: k.Version, KeyARN: k.KeyARN})
	}
	return nil
}
