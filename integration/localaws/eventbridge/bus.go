package eventbridge

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// Target is where a rule or schedule delivers.
type Target struct {
	ID        string `json:"Id"`
	ARN       string `json:"Arn"`
	RoleARN   string `json:"RoleArn,omitempty"`
	Input     string `json:",omitempty"` // constant payload instead of the event
	InputPath string `json:",omitempty"` // only "$.detail" and "$" are supported
}

// Rule selects events for targets.
type Rule struct {
	Name, ARN string
	Pattern   Pattern // nil for a scheduled rule
	Disabled  bool
	Targets   []Target
}

// Options configure a Service. Deliver is called without a lock held.
type Options struct {
	Now             func() time.Time
	Region, Account string
	Deliver         func(t Target, payload []byte)
}

// Service is a set of buses and schedules. It is safe for concurrent use.
type Service struct {
	opt       Options
	mu        sync.RWMutex
	buses     map[string]map[string]*Rule
	schedules map[string]*Schedule // by group/name
}

// New returns a service with the default bus.
func New(o Options) *Service {
	return &Service{opt: o, buses: map[string]map[string]*Rule{"default": {}}, schedules: map[string]*Schedule{}}
}

func (s *Service) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + s.opt.Region + ":" + s.opt.Account + ":" + resource
}

// busName strips an ARN; empty means the default bus.
func busName(nameOrARN string) string {
	if nameOrARN == "" {
		return "default"
	}
	return nameOrARN[strings.LastIndexByte(nameOrARN, '/')+1:]
}

// CreateBus adds a bus if it does not exist and returns its ARN.
func (s *Service) CreateBus(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buses[name] == nil {
		s.buses[name] = map[string]*Rule{}
	}
	return s.arn("events", "event-bus/"+name)
}

// PutRule adds a rule, or replaces its pattern and keeps its targets.
func (s *Service) PutRule(bus string, r Rule) (arn string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := busName(bus)
	rules := s.buses[name]
	if rules == nil {
		return "", awserr.New("ResourceNotFoundException", "Event bus %s does not exist.", name)
	}
	r.ARN = s.arn("events", "rule/"+name+"/"+r.Name)
	if name == "default" {
		r.ARN = s.arn("events", "rule/"+r.Name)
	}
	if old := rules[r.Name]; old != nil && r.Targets == nil {
		r.Targets = old.Targets
	}
	rules[r.Name] = &r
	return r.ARN, nil
}

// PutTargets adds targets to a rule; a target with the same id is replaced.
func (s *Service) PutTargets(bus, rule string, targets []Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.buses[busName(bus)][rule]
	if r == nil {
		return awserr.New("ResourceNotFoundException", "Rule %s does not exist on EventBus %s.", rule, busName(bus))
	}
	kept := append([]Target(nil), targets...)
	for _, old := range r.Targets {
		replaced := false
		for _, t := range targets {
			replaced = replaced || t.ID == old.ID
		}
		if !replaced {
			kept = append(kept, old)
		}
	}
	r.Targets = kept
	return nil
}

// Entry is one event of PutEvents.
type Entry struct {
	Source, DetailType, Detail, EventBusName string
	Resources                                []string
	Time                                     *float64
}

// Request is one decoded call.
type Request struct {
	op string
	q  struct {
		Name, EventBusName, EventPattern, ScheduleExpression, State, Rule string
		Targets                                                           []Target
		Entries                                                           []Entry
	}
}

// Parse decodes the body of an operation.
func Parse(op string, body []byte) (*Request, error) {
	r := &Request{op: op}
	if err := json.Unmarshal(body, &r.q); err != nil {
		return nil, awserr.New("SerializationException", "%v", err)
	}
	return r, nil
}

// Access lists what IAM must allow: for PutEvents the bus of every entry.
func (s *Service) Access(r *Request) []iam.Check {
	action := "events:" + r.op
	switch r.op {
	case "PutEvents":
		var out []iam.Check
		for _, e := range r.q.Entries {
			c := iam.Check{Action: action, Resource: s.arn("events", "event-bus/"+busName(e.EventBusName)), Context: iam.Context{}}
			c.Context.Set("events:source", e.Source)
			c.Context.Set("events:detail-type", e.DetailType)
			out = append(out, c)
		}
		return out
	case "CreateEventBus":
		return []iam.Check{{Action: action, Resource: s.arn("events", "event-bus/"+r.q.Name)}}
	}
	return []iam.Check{{Action: action, Resource: s.arn("events", "rule/"+r.q.Name+r.q.Rule)}}
}

// Run executes a request; the result marshals to the JSON answer.
func (s *Service) Run(r *Request) (any, error) {
	switch r.op {
	case "CreateEventBus":
		s.mu.RLock()
		exists := s.buses[r.q.Name] != nil
		s.mu.RUnlock()
		if exists {
			return nil, awserr.New("ResourceAlreadyExistsException", "Event bus %s already exists.", r.q.Name)
		}
		return map[string]any{"EventBusArn": s.CreateBus(r.q.Name)}, nil
	case "PutRule":
		return s.putRule(r)
	case "PutTargets":
		if err := s.PutTargets(r.q.EventBusName, r.q.Rule, r.q.Targets); err != nil {
			return nil, err
		}
		return map[string]any{"FailedEntryCount": 0, "FailedEntries": []any{}}, nil
	case "PutEvents":
		return s.putEvents(r.q.Entries)
	}
	return nil, awserr.Unknown("events:" + r.op)
}

func (s *Service) putRule(r *Request) (any, error) {
	if r.q.ScheduleExpression != "" {
		return nil, awserr.Unknown("scheduled rules; use EventBridge Scheduler")
	}
	p, err := ParsePattern([]byte(r.q.EventPattern))
	if err != nil {
		return nil, awserr.New("InvalidEventPatternException", "%v", err)
	}
	arn, err := s.PutRule(r.q.EventBusName, Rule{Name: r.q.Name, Pattern: p, Disabled: r.q.State == "DISABLED"})
	return map[string]any{"RuleArn": arn}, err
}

// PutEventsMax is the most entries of one PutEvents call.
const PutEventsMax = 10

func (s *Service) putEvents(entries []Entry) (any, error) {
	if n := len(entries); n == 0 || n > PutEventsMax {
		return nil, awserr.Validation("1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10")
	}
	out, failed := []any{}, 0
	for _, e := range entries {
		id, err := s.publish(e)
		if err != nil {
			failed++
			ae := err.(*awserr.Error)
			out = append(out, map[string]any{"ErrorCode": ae.Code, "ErrorMessage": ae.Message})
			continue
		}
		out = append(out, map[string]any{"EventId": id})
	}
	return map[string]any{"FailedEntryCount": failed, "Entries": out}, nil
}

func (s *Service) publish(e Entry) (id string, err error) {
	if e.Source == "" || e.DetailType == "" || e.Detail == "" {
		return "", awserr.New("InvalidArgument", "Parameters Source, DetailType and Detail are required.")
	}
	var detail map[string]any
	if json.Unmarshal([]byte(e.Detail), &detail) != nil {
		return "", awserr.New("MalformedDetail", "Detail is malformed.")
	}
	id = newID()
	resources := []any{}
	for _, r := range e.Resources {
		resources = append(resources, r)
	}
	event := map[string]any{"version": "0", "id": id, "source": e.Source, "detail-type": e.DetailType, "account": s.opt.Account,
		"time": s.opt.Now().UTC().Format(time.RFC3339), "region": s.opt.Region, "resources": resources, "detail": detail}
	whole, err := json.Marshal(event)
	if err != nil {
		return "", awserr.New("InternalFailure", "%v", err)
	}
	for _, t := range s.targets(busName(e.EventBusName), event) {
		s.opt.Deliver(t, t.payload(whole, []byte(e.Detail)))
	}
	return id, nil
}

func (s *Service) targets(bus string, event map[string]any) []Target {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Target
	for _, r := range s.buses[bus] {
		if !r.Disabled && r.Pattern != nil && r.Pattern.Match(event) {
			out = append(out, r.Targets...)
		}
	}
	return out
}

func (t Target) payload(event, detail []byte) []byte {
	switch {
	case t.Input != "":
		return []byte(t.Input)
	case t.InputPath == "$.detail":
		return detail
	}
	return event
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
