package scimtest

import (
	"context"
	"sync"

	"behalf.dev/behalf/shared/tenant"
)

// Lifecycle is a scim.Lifecycle that remembers what it was told. Its zero value is ready to use.
type Lifecycle struct {
	// Fail, when set, decides the outcome of each call; call is "suspend" or "restore".
	Fail func(call string, p tenant.Principal) error

	mu        sync.Mutex
	calls     []string
	suspended map[tenant.Scope]bool
}

// Suspend implements scim.Lifecycle.
func (l *Lifecycle) Suspend(_ context.Context, t tenant.ID, p tenant.Principal, _ string) error {
	return l.record("suspend", t, p, true)
}

// Restore implements scim.Lifecycle.
func (l *Lifecycle) Restore(_ context.Context, t tenant.ID, p tenant.Principal) error {
	return l.record("restore", t, p, false)
}

func (l *Lifecycle) record(call string, t tenant.ID, p tenant.Principal, suspended bool) error {
	if l.Fail != nil {
		if err := l.Fail(call, p); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, call+" "+string(p))
	if l.suspended == nil {
		l.suspended = map[tenant.Scope]bool{}
	}
	l.suspended[tenant.Scope{Tenant: t, Principal: p}] = suspended
	return nil
}

// Calls gives the successful calls since the last Calls, as "suspend alice" and "restore alice".
func (l *Lifecycle) Calls() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.calls
	l.calls = nil
	return c
}

// Suspended tells whether p may not act at present.
func (l *Lifecycle) Suspended(t tenant.ID, p tenant.Principal) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.suspended[tenant.Scope{Tenant: t, Principal: p}]
}
