package iam

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// The account administrator's access key of the local stack. It is no secret: it opens
// nothing but the emulator of this process.
const (
	OperatorAccessKey = "AKIALOCALOPERATOR000"
	OperatorSecret    = "local-operator"
)

// Role is a role with its policies.
type Role struct {
	Name, ARN  string
	Trust      *Policy
	Policies   []*Policy
	MaxSession time.Duration // longest session; 0 means one hour
}

// session is one set of temporary credentials.
type session struct {
	role       string // ARN
	name       string
	token      string
	tags       map[string]string
	transitive []string
	sourceID   string
	policy     *Policy
	expires    time.Time // zero: does not expire (a function's own credentials)
}

// Store holds roles and sessions. It is safe for concurrent use.
type Store struct {
	now     func() time.Time
	account string
	log     *slog.Logger

	mu       sync.RWMutex
	roles    map[string]*Role // by ARN
	sessions map[string]*session
}

// NewStore returns a store without roles. log receives what policies could not be evaluated.
func NewStore(account string, now func() time.Time, log *slog.Logger) *Store {
	return &Store{now: now, account: account, log: log, roles: map[string]*Role{}, sessions: map[string]*session{}}
}

// SetRole adds or replaces a role; sessions of the role see the new policies at once.
func (s *Store) SetRole(r *Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[r.ARN] = r
}

// Role returns a role by ARN, nil when there is none.
func (s *Store) Role(arn string) *Role {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.roles[arn]
}

// Caller is an authenticated principal with the policies that limit it.
type Caller struct {
	Principal Principal
	identity  []*Policy
	session   *Policy
	current   *session // nil for the administrator
}

// Authenticate resolves the credentials of a call. Errors: UnrecognizedClientException for an
// unknown key or a wrong token, ExpiredTokenException, MissingAuthenticationTokenException.
func (s *Store) Authenticate(accessKey, token string) (*Caller, error) {
	if accessKey == OperatorAccessKey {
		arn := "arn:aws:iam::" + s.account + ":root"
		return &Caller{Principal: Principal{ARN: arn, SessionARN: arn, Account: s.account, Administrator: true}}, nil
	}
	if accessKey == "" {
		return nil, &awserr.Error{Code: "MissingAuthenticationTokenException", Message: "Request is missing Authentication Token", Status: 403}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	se := s.sessions[accessKey]
	if se == nil || se.token != token || s.roles[se.role] == nil {
		return nil, awserr.New("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if !se.expires.IsZero() && !s.now().Before(se.expires) {
		return nil, awserr.New("ExpiredTokenException", "The security token included in the request is expired")
	}
	role := s.roles[se.role]
	p := Principal{ARN: role.ARN, Account: s.account, SourceID: se.sourceID, Tags: se.tags, SessionARN: s.sessionARN(role, se.name)}
	return &Caller{Principal: p, identity: role.Policies, session: se.policy, current: se}, nil
}

func (s *Store) sessionARN(r *Role, name string) string {
	return "arn:aws:sts::" + s.account + ":assumed-role/" + r.Name + "/" + name
}

// Check is one permission that a call needs.
type Check struct {
	Action, Resource string
	Context          Context
	Policy           *Policy // resource policy, nil for none
	Rules            bool    // see Policies.ResourceRules
	CrossAccount     bool    // see Policies.CrossAccount
}

// Authorize answers AccessDeniedException unless every check is allowed.
func (s *Store) Authorize(c *Caller, checks ...Check) error {
	if c.Principal.Administrator {
		return nil
	}
	return s.AuthorizeAll(c, checks...)
}

// AuthorizeAll is Authorize without an exception for the administrator, whom a resource policy may deny something.
func (s *Store) AuthorizeAll(c *Caller, checks ...Check) error {
	for _, k := range checks {
		d := c.evaluate(k)
		for _, err := range d.Errors {
			s.log.Error("policy not evaluated", "action", k.Action, "resource", k.Resource, "error", err)
		}
		if !d.Allowed {
			return denied(c, k, d)
		}
	}
	return nil
}

func (c *Caller) evaluate(k Check) Decision {
	return Evaluate(Policies{Identity: c.identity, Session: c.session, Resource: k.Policy, ResourceRules: k.Rules, CrossAccount: k.CrossAccount},
		Request{Principal: c.Principal, Action: k.Action, Resource: k.Resource, Context: k.Context})
}

func denied(c *Caller, k Check, d Decision) error {
	why := "because no identity-based policy allows the " + k.Action + " action"
	if k.Rules {
		why = "because no resource-based policy allows the " + k.Action + " action"
	}
	if d.ExplicitDeny {
		why = "with an explicit deny in a policy"
	}
	for _, err := range d.Errors {
		why += fmt.Sprintf(" (not evaluated: %v)", err)
	}
	return awserr.New("AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s %s", c.Principal.SessionARN, k.Action, k.Resource, why)
}

// RoleCredentials starts a session of a role as the Lambda service does for a function: no
// tags, no expiry. ok is false when the role does not exist.
func (s *Store) RoleCredentials(roleARN, name string) (accessKey, secret, token string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roles[roleARN] == nil {
		return "", "", "", false
	}
	accessKey, secret, token = s.open(&session{role: roleARN, name: name})
	return accessKey, secret, token, true
}

// open registers a session; the caller holds the lock.
func (s *Store) open(se *session) (accessKey, secret, token string) {
	if len(s.sessions)%1024 == 1023 {
		now := s.now()
		for k, old := range s.sessions {
			if !old.expires.IsZero() && now.After(old.expires.Add(time.Hour)) {
				delete(s.sessions, k)
			}
		}
	}
	accessKey, secret, se.token = "ASIA"+random(10), random(20), "local-"+random(20)
	s.sessions[accessKey] = se
	return accessKey, secret, se.token
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return strings.TrimRight(base32.StdEncoding.EncodeToString(b), "=")
}
