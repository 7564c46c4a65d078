package iam

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// Assumed is the answer of AssumeRole.
type Assumed struct {
	AccessKey, Secret, Token string
	Expires                  time.Time
	ARN                      string // of the session
}

// ask is a decoded AssumeRole call.
type ask struct {
	roleARN, name, sourceID string
	tags                    map[string]string
	transitive              []string
	policy                  *Policy
	duration                time.Duration
}

// AssumeRole opens a session (STS API Reference, AssumeRole). The trust policy of the role
// must allow the caller by its exact ARN, or admit the account while the caller's own
// policies allow the action. Tags need sts:TagSession, a source identity sts:SetSourceIdentity.
func (s *Store) AssumeRole(c *Caller, f url.Values) (*Assumed, error) {
	a, err := parseAsk(f)
	if err != nil {
		return nil, err
	}
	if err := a.inherit(c); err != nil {
		return nil, err
	}
	role := s.Role(a.roleARN)
	if role == nil {
		return nil, stsDenied(c, "sts:AssumeRole", a.roleARN)
	}
	if err := a.checkDuration(c, role); err != nil {
		return nil, err
	}
	for _, action := range a.actions() {
		d := c.evaluate(Check{Action: action, Resource: role.ARN, Context: a.context(), Policy: role.Trust, Rules: true})
		for _, err := range d.Errors {
			s.log.Error("trust policy not evaluated", "role", role.ARN, "error", err)
		}
		if !d.Allowed {
			return nil, stsDenied(c, action, role.ARN)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	se := &session{role: role.ARN, name: a.name, tags: a.tags, transitive: a.transitive, sourceID: a.sourceID, policy: a.policy, expires: s.now().Add(a.duration)}
	out := &Assumed{Expires: se.expires, ARN: s.sessionARN(role, a.name)}
	out.AccessKey, out.Secret, out.Token = s.open(se)
	return out, nil
}

func stsDenied(c *Caller, action, role string) error {
	return &awserr.Error{Code: "AccessDenied", Status: 403, Message: "User: " + c.Principal.SessionARN + " is not authorized to perform: " + action + " on resource: " + role}
}

func invalid(format string, args ...any) error {
	return awserr.New("ValidationError", format, args...)
}

func parseAsk(f url.Values) (*ask, error) {
	name := regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	a := &ask{roleARN: f.Get("RoleArn"), name: f.Get("RoleSessionName"), sourceID: f.Get("SourceIdentity"), tags: map[string]string{}}
	if !name.MatchString(a.name) {
		return nil, invalid("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", a.name)
	}
	if a.sourceID != "" && !name.MatchString(a.sourceID) {
		return nil, invalid("1 validation error detected: Value '%s' at 'sourceIdentity' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", a.sourceID)
	}
	if err := a.parseTags(f); err != nil {
		return nil, err
	}
	if doc := f.Get("Policy"); doc != "" {
		p, err := Parse("session policy", []byte(doc))
		if err != nil || !json.Valid([]byte(doc)) {
			return nil, awserr.New("MalformedPolicyDocument", "%v", err)
		}
		a.policy = p
	}
	a.duration = time.Hour
	if d := f.Get("DurationSeconds"); d != "" {
		n, err := strconv.Atoi(d)
		if err != nil || n < 900 || n > 43200 {
			return nil, invalid("1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200", d)
		}
		a.duration = time.Duration(n) * time.Second
	}
	return a, nil
}

func (a *ask) parseTags(f url.Values) error {
	seen := map[string]bool{}
	for i := 1; f.Has("Tags.member." + strconv.Itoa(i) + ".Key"); i++ {
		at := "Tags.member." + strconv.Itoa(i)
		k, v := f.Get(at+".Key"), f.Get(at+".Value")
		switch low := strings.ToLower(k); {
		case k == "" || len([]rune(k)) > 128 || !tagText(k):
			return invalid("1 validation error detected: Value '%s' at 'tags.%d.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+", k, i)
		case len([]rune(v)) > 256 || !tagText(v):
			return invalid("1 validation error detected: Value '%s' at 'tags.%d.member.value' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", v, i)
		case seen[low]:
			return awserr.New("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		case strings.HasPrefix(low, "aws:"):
			return invalid("Tag keys must not start with aws:")
		case i > 50:
			return invalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
		default:
			seen[low] = true
		}
		a.tags[k] = v
	}
	for i := 1; f.Has("TransitiveTagKeys.member." + strconv.Itoa(i)); i++ {
		a.transitive = append(a.transitive, f.Get("TransitiveTagKeys.member."+strconv.Itoa(i)))
	}
	return nil
}

// tagText is [\p{L}\p{Z}\p{N}_.:/=+\-@]*.
func tagText(s string) bool {
	for _, r := range s {
		if !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}

// inherit carries transitive tags and the source identity of the calling session along.
func (a *ask) inherit(c *Caller) error {
	if c.current == nil {
		return nil
	}
	for _, k := range c.current.transitive {
		for own := range a.tags {
			if strings.EqualFold(own, k) {
				return awserr.New("InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
			}
		}
		a.tags[k] = c.current.tags[k]
		a.transitive = append(a.transitive, k)
	}
	if id := c.current.sourceID; id != "" {
		if a.sourceID != "" && a.sourceID != id {
			return stsDenied(c, "sts:SetSourceIdentity", a.roleARN)
		}
		a.sourceID = id
	}
	return nil
}

func (a *ask) checkDuration(c *Caller, r *Role) error {
	longest := r.MaxSession
	if longest == 0 {
		longest = time.Hour
	}
	if c.current != nil && a.duration > time.Hour {
		return invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	if a.duration > longest {
		return invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return nil
}

// actions lists what the trust policy must allow.
func (a *ask) actions() []string {
	out := []string{"sts:AssumeRole"}
	if len(a.tags) > 0 {
		out = append(out, "sts:TagSession")
	}
	if a.sourceID != "" {
		out = append(out, "sts:SetSourceIdentity")
	}
	return out
}

func (a *ask) context() Context {
	c := Context{}
	c.Set("sts:RoleSessionName", a.name)
	if a.sourceID != "" {
		c.Set("sts:SourceIdentity", a.sourceID)
	}
	var keys []string
	for k, v := range a.tags {
		c.Set("aws:RequestTag/"+k, v)
		keys = append(keys, k)
	}
	c.Set("aws:TagKeys", keys...)
	c.Set("sts:TransitiveTagKeys", a.transitive...)
	return c
}
