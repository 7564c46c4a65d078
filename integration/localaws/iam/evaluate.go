package iam

import (
	"fmt"
	"maps"
	"strings"
)

// Principal is who asks.
type Principal struct {
	ARN           string            // arn:aws:iam::<account>:role/<name>
	SessionARN    string            // arn:aws:sts::<account>:assumed-role/<role>/<session>
	Account       string            //
	Service       string            // e.g. "lambda.amazonaws.com" when an AWS service asks
	SourceID      string            // STS source identity
	Tags          map[string]string // session tags
	Administrator bool              // account administrator: allowed unless a policy denies
}

// Request is one action on one resource.
type Request struct {
	Principal Principal
	Action    string // e.g. "dynamodb:GetItem"
	Resource  string // ARN
	Context   Context
}

// Policies are what applies to a request.
type Policies struct {
	Identity []*Policy // attached to the role
	Session  *Policy   // inline session policy, nil for none
	Resource *Policy   // resource policy, nil for none
	// ResourceRules is true for KMS keys and role trust policies: an identity policy counts
	// only as far as the resource policy admits the account.
	ResourceRules bool
	// CrossAccount is true when the resource belongs to another account than the caller: then the identity policy and the
	// resource policy both have to allow.
	CrossAccount bool
}

// Match is a statement that applied.
type Match struct {
	Policy, Sid string
	Index       int
	Deny        bool
}

// Decision is the outcome of an evaluation.
type Decision struct {
	Allowed      bool
	ExplicitDeny bool
	Matched      []Match
	Errors       []error // what could not be evaluated; such a statement failed closed
}

// grant tells in which way a policy allows.
type grant struct {
	direct  bool // names the principal itself (or everybody)
	account bool // admits the account: identity policies decide
}

// Evaluate decides a request by the rules of the IAM User Guide, "Policy evaluation logic",
// for one account: an explicit Deny wins; else identity or resource policy must allow, a
// session policy limits, and with ResourceRules the resource policy must admit the caller.
func Evaluate(p Policies, r Request) Decision {
	r.Context = r.context()
	var d Decision
	identity := false
	for _, doc := range p.Identity {
		g := d.policy(doc, r, false)
		identity = identity || g.direct
	}
	session := true
	if p.Session != nil {
		session = d.policy(p.Session, r, false).direct
	}
	var resource grant
	if p.Resource != nil {
		resource = d.policy(p.Resource, r, true)
	}
	for _, m := range d.Matched {
		d.ExplicitDeny = d.ExplicitDeny || m.Deny
	}
	allowed := identity || resource.direct
	if p.ResourceRules {
		allowed = resource.direct || resource.account && (identity || r.Principal.Administrator)
	}
	if r.Principal.Administrator && !p.ResourceRules {
		allowed = true
	}
	if p.CrossAccount {
		allowed = (identity || r.Principal.Administrator) && (resource.direct || resource.account)
	}
	d.Allowed = allowed && session && !d.ExplicitDeny
	return d
}

// context adds the global keys that follow from the principal.
func (r Request) context() Context {
	c := make(Context, len(r.Context)+8)
	maps.Copy(c, r.Context)
	p := r.Principal
	if p.ARN != "" {
		c["aws:principalarn"] = []string{p.ARN}
	}
	if p.Account != "" {
		c["aws:principalaccount"] = []string{p.Account}
		c["kms:calleraccount"] = []string{p.Account}
	}
	if p.SourceID != "" {
		c["aws:sourceidentity"] = []string{p.SourceID}
	}
	for k, v := range p.Tags {
		c["aws:principaltag/"+strings.ToLower(k)] = []string{v}
	}
	if _, ok := c["aws:securetransport"]; !ok {
		c["aws:securetransport"] = []string{"true"}
	}
	c["aws:principalisawsservice"] = []string{boolText(p.Service != "")}
	if _, ok := c["aws:viaawsservice"]; !ok {
		c["aws:viaawsservice"] = []string{"false"}
	}
	return c
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// policy evaluates one document and records the matches.
func (d *Decision) policy(doc *Policy, r Request, isResource bool) grant {
	var g grant
	for i := range doc.Statements {
		s := &doc.Statements[i]
		who := grant{direct: true}
		if isResource {
			if who = s.admits(r.Principal); !who.direct && !who.account {
				continue
			}
		}
		ok, err := s.matches(r)
		if err != nil {
			d.Errors = append(d.Errors, err)
			ok = s.Deny
		}
		if !ok {
			continue
		}
		d.Matched = append(d.Matched, Match{Policy: doc.Name, Sid: s.Sid, Index: i, Deny: s.Deny})
		if !s.Deny {
			g.direct = g.direct || who.direct
			g.account = g.account || who.account
		}
	}
	return g
}

func (s *Statement) matches(r Request) (bool, error) {
	action := strings.ToLower(r.Action)
	if s.Actions != nil && !matchAny(s.Actions, action, nil) || s.NotActions != nil && matchAny(s.NotActions, action, nil) {
		return false, nil
	}
	if s.Resources != nil && !matchAny(s.Resources, r.Resource, r.Context) || s.NotResource != nil && matchAny(s.NotResource, r.Resource, r.Context) {
		return false, nil
	}
	var unsupported error
	for _, p := range s.NotResource {
		if _, ok := expand(p, r.Context); !ok { // "all but nothing" would widen an Allow
			unsupported = fmt.Errorf("NotResource of statement %q has a variable without value", s.Sid)
		}
	}
	for i := range s.Conditions {
		ok, err := s.Conditions[i].holds(r.Context)
		if err != nil {
			unsupported = err
			continue
		}
		if !ok {
			return false, nil
		}
	}
	return unsupported == nil, unsupported
}

// admits tells whether the Principal element covers the caller. A Deny needs no distinction
// between the two ways.
func (s *Statement) admits(p Principal) grant {
	if s.NotPrinc != nil {
		g := s.NotPrinc.covers(p)
		return grant{direct: !g.direct && !g.account}
	}
	if s.Principal == nil {
		return grant{}
	}
	return s.Principal.covers(p)
}

func (set *PrincipalSet) covers(p Principal) grant {
	if set.Any {
		return grant{direct: true}
	}
	for _, v := range set.Service {
		if p.Service != "" && v == p.Service {
			return grant{direct: true}
		}
	}
	if p.Service != "" {
		return grant{}
	}
	var g grant
	for _, v := range set.AWS {
		switch {
		case v == p.ARN || v == p.SessionARN && v != "":
			g.direct = true
		case v == p.Account || strings.HasPrefix(v, "arn:") && strings.HasSuffix(v, "::"+p.Account+":root"):
			g.account = true
		}
	}
	return g
}
