package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// After is what Fault finds behind the name of an operation that has happened: "PutSlot", then "PutSlot/after".
const After = "/after"

// Store is a store in memory. Make one with New. It is safe for concurrent use.
type Store struct {
	// Fault, unless nil, is called before each access with the name of the method, and behind it, if it worked, with After
	// added; UpdateConnection calls it for each of its attempts. No lock is held: it may block, or use the store itself. Its
	// error ends the operation. Set it before the store is used.
	Fault func(op string) error

	now func() time.Time

	mu          sync.Mutex
	connections map[connection.Ref]connectionRow
	listed      map[tenant.ID]map[connection.ID]connection.Ref
	grants      map[grantKey]row
	slots       map[slotKey]row
	links       map[idKey]row
	hashes      map[idKey]string
	claims      map[claimKey]row
	visits      map[idKey]row
	activities  map[tenant.Scope][]audit.Activity
	wrapped     map[wrappedKey]row
	walks       map[tenant.ID]row
	clients     map[clientKey]row
	tenants     map[tenant.ID]row
	logos       map[tenant.ID]string
	deployed    map[tenant.ID]bool
	suspended   map[tenant.Scope]bool
	ended       map[tenant.Scope]authn.Ended
	issuers     map[tenant.ID]row
	views       map[idKey]row
	keys        map[recordKey]row
	records     map[tenant.ID][]row
	recorded    map[idKey]bool
	segments    map[tenant.ID][]row
	rules       map[tenant.ID]rulesRow
	groups      map[tenant.Scope][]string
	counts      map[idKey]int64
	approvals   map[approvalKey]row
	kept        map[tenant.ID]uint64
	deciding    map[idKey]row
	webhooks    map[idKey]row
	tries       map[idKey]row
}

// New returns an empty store over a clock.
func New(now func() time.Time) *Store {
	return &Store{now: now, connections: map[connection.Ref]connectionRow{}, listed: map[tenant.ID]map[connection.ID]connection.Ref{}, grants: map[grantKey]row{},
		slots: map[slotKey]row{}, links: map[idKey]row{}, hashes: map[idKey]string{}, claims: map[claimKey]row{}, visits: map[idKey]row{}, activities: map[tenant.Scope][]audit.Activity{}, wrapped: map[wrappedKey]row{}, walks: map[tenant.ID]row{},
		clients: map[clientKey]row{}, tenants: map[tenant.ID]row{}, logos: map[tenant.ID]string{}, deployed: map[tenant.ID]bool{}, suspended: map[tenant.Scope]bool{},
		ended: map[tenant.Scope]authn.Ended{}, issuers: map[tenant.ID]row{}, views: map[idKey]row{},
		keys: map[recordKey]row{}, records: map[tenant.ID][]row{}, recorded: map[idKey]bool{}, segments: map[tenant.ID][]row{}, kept: map[tenant.ID]uint64{},
		rules: map[tenant.ID]rulesRow{}, groups: map[tenant.Scope][]string{}, counts: map[idKey]int64{}, approvals: map[approvalKey]row{}, deciding: map[idKey]row{},
		webhooks: map[idKey]row{}, tries: map[idKey]row{}}
}

// row is a document and its version.
type row struct {
	doc     []byte
	version uint64
}

// idKey is a text that is unique in a tenant.
type idKey struct {
	tenant tenant.ID
	id     string
}

func encode(v any, version uint64) (row, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return row{}, fmt.Errorf("encode %T: %w", v, err)
	}
	return row{b, version}, nil
}

func (r row) decode(into any) error {
	if err := json.Unmarshal(r.doc, into); err != nil {
		return fmt.Errorf("decode %T: %w", into, err)
	}
	return nil
}

// do runs one access: the hook, the work under the lock, the hook again if it worked.
func (s *Store) do(ctx context.Context, op string, work func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.strike(op); err != nil {
		return err
	}
	s.mu.Lock()
	err := work()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.strike(op + After)
}

func (s *Store) strike(op string) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(op)
}

// errLost is a conditional write that somebody else won.
var errLost = fault.New(fault.Conflict, "somebody else changed this meanwhile; read it again")
