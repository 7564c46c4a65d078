package notify

import (
	"sync"
	"time"

	"behalf.dev/behalf/shared/tenant"
)

// noneFor is how long it is believed that an owner has no endpoint. For so long after the first one was made, another process
// than the one that made it may still pass events by; a webhook hears for sure of what happens half a minute after it was made.
const noneFor = 30 * time.Second

// maxNone bounds memory: beyond it all is forgotten, and learned anew.
const maxNone = 10_000

// none knows owners without any endpoint, so that an event which nobody asked for costs no query. It is safe for concurrent use.
type none struct {
	mu    sync.Mutex
	until map[tenant.ID]time.Time
}

func newNone() *none { return &none{until: map[tenant.ID]time.Time{}} }

// known reports that owner had no endpoint a short while ago.
func (n *none) known(owner tenant.ID, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return now.Before(n.until[owner])
}

// note keeps that a read which began at began found none.
func (n *none) note(owner tenant.ID, began time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.until) >= maxNone {
		clear(n.until)
	}
	n.until[owner] = began.Add(noneFor)
}

// forget is for an owner that got one.
func (n *none) forget(owner tenant.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.until, owner)
}
