package localaws

import (
	"maps"
	"strings"
	"sync"
)

// Counter counts API calls, so a test can say how many one execution costs.
type Counter struct {
	mu    sync.Mutex
	total map[string]int
	byKey map[string]map[string]int
	// byRole is by the role's ARN, and counts what could be authenticated only.
	byRole map[string]map[string]int
}

func newCounter() *Counter {
	return &Counter{total: map[string]int{}, byKey: map[string]map[string]int{}, byRole: map[string]map[string]int{}}
}

// by notes whose call k is, once that is known.
func (c *Counter) by(k *call, role string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.byRole[role]
	if m == nil {
		m = map[string]int{}
		c.byRole[role] = m
	}
	m[k.service+":"+k.op]++
}

// ByRole returns the calls that were made as one role, by its name.
func (c *Counter) ByRole(name string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for arn, calls := range c.byRole {
		if strings.HasSuffix(arn, ":role/"+name) {
			maps.Copy(out, calls)
		}
	}
	return out
}

func (c *Counter) add(k *call) {
	name := k.service + ":" + k.op
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total[name]++
	m := c.byKey[k.accessKey]
	if m == nil {
		m = map[string]int{}
		c.byKey[k.accessKey] = m
	}
	m[name]++
}

// Snapshot returns the calls so far by "service:Operation" ("dynamodb:GetItem").
func (c *Counter) Snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.total)
}

// ByAccessKey returns the calls that were made with one access key.
func (c *Counter) ByAccessKey(accessKey string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.byKey[accessKey])
}

// Reset starts counting from zero.
func (c *Counter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total, c.byKey, c.byRole = map[string]int{}, map[string]map[string]int{}, map[string]map[string]int{}
}
