package workspace

import (
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/shared/awskms"
	"behalf.dev/behalf/shared/dynamo"
)

// How many sets of credentials a process keeps clients for, and how long; less where the credentials end sooner. An environment
// of Lambda serves few tenants at a time, and an API Gateway authorizer's answer lives for a minute.
const (
	keptClients = 64
	clientLife  = 5 * time.Minute
)

// clients are the SDK's clients under one set of credentials.
type clients struct {
	db  *dynamo.DB
	kms *awskms.KMS
}

// shelf keeps clients by their credentials. It hands one out to whoever shows all three parts of the credentials that it was
// made with, so that what a caller gets can do nothing that the caller could not do with a client of its own. It is safe for
// concurrent use.
type shelf struct {
	limit int
	life  time.Duration
	now   func() time.Time

	mu   sync.Mutex
	kept map[string]*shelved // by access key id
}

type shelved struct {
	creds      aws.Credentials
	clients    clients
	used, ends time.Time
}

func newShelf(limit int, life time.Duration, now func() time.Time) *shelf {
	return &shelf{limit: limit, life: life, now: now, kept: map[string]*shelved{}}
}

func (s *shelf) get(c aws.Credentials) (clients, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.kept[c.AccessKeyID]
	if !ok || e.creds.SecretAccessKey != c.SecretAccessKey || e.creds.SessionToken != c.SessionToken {
		return clients{}, false
	}
	now := s.now()
	if !now.Before(e.ends) {
		delete(s.kept, c.AccessKeyID)
		return clients{}, false
	}
	e.used = now
	return e.clients, true
}

// put keeps made. Credentials without a session token are nobody's vended ones, and are not kept. A full shelf lets go of what
// has ended, and otherwise of what was used longest ago.
func (s *shelf) put(c aws.Credentials, made clients) {
	now := s.now()
	ends := now.Add(s.life)
	if c.CanExpire && c.Expires.Before(ends) {
		ends = c.Expires
	}
	if c.AccessKeyID == "" || c.SessionToken == "" || !now.Before(ends) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= s.limit {
		s.makeRoom(now)
	}
	s.kept[c.AccessKeyID] = &shelved{creds: c, clients: made, used: now, ends: ends}
}

func (s *shelf) makeRoom(now time.Time) {
	oldest, at := "", time.Time{}
	for id, e := range s.kept {
		if !now.Before(e.ends) {
			delete(s.kept, id)
		} else if at.IsZero() || e.used.Before(at) {
			oldest, at = id, e.used
		}
	}
	if len(s.kept) >= s.limit {
		delete(s.kept, oldest)
	}
}
