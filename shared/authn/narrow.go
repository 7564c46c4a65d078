package authn

import (
	"slices"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// MaxActors is how many agents may stand behind one another: the one that got the first session and three below it.
const MaxActors = 4

// Narrower is what a session's agent asks for one of its own: less, for a sub-agent.
type Narrower struct {
	// Connectors and Tools are the new limits; nil keeps the parent's.
	Connectors, Tools []string
	// Agent names the sub-agent. Run is empty to stay within the parent's run.
	Agent, Run string
	// Life is how long the new session lives; zero is DefaultSessionTTL or what the parent has left, if that is less.
	Life time.Duration
	// ConnectorOf names the connector of a tool, so that a tool is held to the parent's connectors too.
	ConnectorOf func(tool string) string
}

// Narrow returns a session under id that may do what n asks for, and never anything that s may not: fault.Forbidden
// names what would widen it (RFC 8693, section 2.1: the parent is the subject token, the sub-agent the actor).
func (s Session) Narrow(id string, n Narrower, now time.Time) (Session, error) {
	if len(s.Parents)+2 > MaxActors {
		return Session{}, wider("/agent", "depth", "%d agents stand behind this session already, which is the most; make a new one with POST /v1/sessions", MaxActors)
	}
	child := s
	child.ID, child.Agent, child.Issued = id, n.Agent, now.Truncate(time.Second)
	child.Parents = append([]string{s.ID}, s.Parents...)
	child.Actors = append([]string{s.Agent}, s.Actors...)
	if n.Run != "" {
		child.Run = n.Run
	}
	for _, c := range n.Connectors {
		if len(s.Connectors) > 0 && !slices.Contains(s.Connectors, c) {
			return Session{}, wider("/connectors", "connector", "this session may not use %s, so no session made from it may", c)
		}
	}
	for _, t := range n.Tools {
		if !s.Allows(n.ConnectorOf(t), t) {
			return Session{}, wider("/tools", "tool", "this session may not use %s, so no session made from it may", t)
		}
	}
	if len(n.Connectors) > 0 {
		child.Connectors = n.Connectors
	}
	if len(n.Tools) > 0 {
		child.Tools = n.Tools
	}
	child.Expires = now.Add(n.Life).Truncate(time.Second)
	if n.Life == 0 {
		child.Expires = earlier(now.Add(DefaultSessionTTL).Truncate(time.Second), s.Expires)
	}
	if child.Expires.After(s.Expires) {
		return Session{}, wider("/ttl_seconds", "life", "this session ends at %s; one made from it may end earlier, not later", s.Expires.UTC().Format(time.RFC3339))
	}
	return child, nil
}

func wider(field, what, format string, args ...any) error {
	return fault.New(fault.Forbidden, format, args...).WithField(field).With("reason", "wider_"+what)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// IDSource makes identifiers that sort by time.
type IDSource interface {
	// New returns prefix, an underscore and 26 characters.
	New(prefix string) string
}

// NewSessionID makes the id of a session of s. Sessions are not stored, so the id carries a check of whose it is: ending a
// session under a wrong name must fail, not succeed at nothing.
func NewSessionID(ids IDSource, s tenant.Scope) string {
	id := ids.New("sess")
	return id + ownerCheck(id, s)
}
