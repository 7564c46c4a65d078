package policy

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"behalf.dev/behalf/shared/fault"
)

// The names that Cedar policies may use. An action is in its effect and in its connector, so that
//
//	forbid (principal in Behalf::Group::"interns", action in Behalf::Action::"effect:destructive", resource);
//	forbid (principal, action == Behalf::Action::"github_create_issue", resource) unless { context.input.owner == "acme" };
//
// mean what they say. A forbid with @approval("why") is lifted by a person's approval. context holds input, agent, run,
// session, tool, connector and effect; null members are absent, fractions are decimals where they fit.
const (
	cedarUser       = "Behalf::User"
	cedarGroup      = "Behalf::Group"
	cedarAction     = "Behalf::Action"
	cedarConnection = "Behalf::Connection"
	cedarConnector  = "Behalf::Connector"
)

// approvalMark is the annotation of a forbid that a person's approval lifts.
const approvalMark = "approval"

// cedarSet is a compiled set of policies, and the same without those that an approval lifts.
type cedarSet struct{ all, strict *cedar.PolicySet }

func compileCedar(text string) (*cedarSet, error) {
	if len(text) > maxCedar {
		return nil, fault.Invalid("/cedar", "Cedar policies are at most %d bytes", maxCedar)
	}
	all, err := cedar.NewPolicySetFromBytes("policy", []byte(text))
	if err != nil {
		return nil, fault.Invalid("/cedar", "the Cedar policies cannot be read: %s", err)
	}
	out := &cedarSet{all: all, strict: cedar.NewPolicySet()}
	for id, p := range all.All() {
		if _, lifted := p.Annotations()[approvalMark]; lifted {
			if p.Effect() != cedar.Forbid {
				return nil, fault.Invalid("/cedar", "@approval stands before a forbid: it says what lifts it")
			}
			continue
		}
		out.strict.Add(id, p)
	}
	return out, nil
}

// decide returns an error when c is denied, or which policy wants an approval.
func (s *cedarSet) decide(c Call) (approval, reason string, denial *fault.Error) {
	q, entities, err := cedarRequest(c)
	if err != nil {
		return "", "", unclear(err.Error())
	}
	decision, why := cedar.Authorize(s.all, entities, q)
	if len(why.Errors) > 0 { // Cedar passes over a policy that fails; a forbid among them would be forgotten
		return "", "", unclear(why.Errors[0].Message)
	}
	if decision == cedar.Allow {
		return "", "", nil
	}
	if without, _ := cedar.Authorize(s.strict, entities, q); without != cedar.Allow || len(why.Reasons) == 0 {
		rule := "cedar"
		if len(why.Reasons) > 0 {
			rule += ":" + string(why.Reasons[0].PolicyID)
		}
		return "", "", denied(rule, s.said(why))
	}
	first := why.Reasons[0].PolicyID
	return "cedar:" + string(first), string(s.all.Get(first).Annotations()[approvalMark]), nil
}

// said is the @reason annotation of the first policy that decided.
func (s *cedarSet) said(why cedar.Diagnostic) string {
	for _, r := range why.Reasons {
		if text := s.all.Get(r.PolicyID).Annotations()["reason"]; text != "" {
			return string(text)
		}
	}
	return ""
}

func unclear(what string) *fault.Error {
	return fault.New(fault.PolicyDenied, "the tenant's Cedar policies could not be applied to this call, so it is not made: %s", what).With("reason", "policy_error").With("rule", "cedar")
}

func uid(kind, id string) cedar.EntityUID {
	return cedar.NewEntityUID(cedar.EntityType(kind), cedar.String(id))
}

func cedarRequest(c Call) (cedar.Request, cedar.EntityMap, error) {
	input, err := record(c.Input)
	if err != nil {
		return cedar.Request{}, nil, err
	}
	q := cedar.Request{Principal: uid(cedarUser, c.Principal), Action: uid(cedarAction, c.Tool), Resource: uid(cedarConnection, c.Connection),
		Context: cedar.NewRecord(cedar.RecordMap{"input": input, "agent": cedar.String(c.Agent), "run": cedar.String(c.Run), "session": cedar.String(c.Session),
			"tool": cedar.String(c.Tool), "connector": cedar.String(c.Connector), "effect": cedar.String(c.Effect)})}
	groups := make([]cedar.EntityUID, len(c.Groups))
	for i, g := range c.Groups {
		groups[i] = uid(cedarGroup, g)
	}
	scopes := make([]cedar.Value, len(c.Scopes))
	for i, s := range c.Scopes {
		scopes[i] = cedar.String(s)
	}
	entities := cedar.EntityMap{
		q.Principal: {UID: q.Principal, Parents: cedar.NewEntityUIDSet(groups...)},
		q.Action:    {UID: q.Action, Parents: cedar.NewEntityUIDSet(uid(cedarAction, "effect:"+c.Effect), uid(cedarAction, "connector:"+c.Connector))},
		q.Resource: {UID: q.Resource, Parents: cedar.NewEntityUIDSet(uid(cedarConnector, c.Connector)),
			Attributes: cedar.NewRecord(cedar.RecordMap{"account": cedar.String(c.Account), "scopes": cedar.NewSet(scopes...)})},
	}
	return q, entities, nil
}

func record(m map[string]any) (cedar.Record, error) {
	out := cedar.RecordMap{}
	for k, v := range m {
		if v == nil {
			continue
		}
		x, err := value(v)
		if err != nil {
			return cedar.Record{}, err
		}
		out[cedar.String(k)] = x
	}
	return cedar.NewRecord(out), nil
}

// value writes JSON as Cedar, which has no null, no floats and no order in sets.
func value(v any) (cedar.Value, error) {
	switch x := v.(type) {
	case string:
		return cedar.String(x), nil
	case bool:
		return cedar.Boolean(x), nil
	case json.Number:
		return number(x)
	case float64:
		return number(json.Number(strconv.FormatFloat(x, 'f', -1, 64)))
	case int:
		return cedar.Long(x), nil
	case map[string]any:
		return record(x)
	case []any:
		list := make([]cedar.Value, 0, len(x))
		for _, item := range slices.DeleteFunc(slices.Clone(x), func(i any) bool { return i == nil }) {
			c, err := value(item)
			if err != nil {
				return nil, err
			}
			list = append(list, c)
		}
		return cedar.NewSet(list...), nil
	}
	return nil, fault.New(fault.Internal, "an argument is of a kind that Cedar does not know")
}

// number is a Long for whole numbers, a decimal (four digits) where one fits, and text otherwise, which no comparison of numbers
// accepts. Nothing is rounded: the provider gets the number as it was written, and a rule must not see another one.
func number(n json.Number) (cedar.Value, error) {
	if i, err := n.Int64(); err == nil {
		return cedar.Long(i), nil
	}
	_, exp, _ := strings.Cut(strings.ToLower(n.String()), "e")
	if len(n) > 40 || len(strings.TrimLeft(exp, "+-0")) > 2 { // 1e999999999 is a gigabyte
		return cedar.String(n.String()), nil
	}
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return cedar.String(n.String()), nil
	}
	if r.IsInt() && r.Num().IsInt64() {
		return cedar.Long(r.Num().Int64()), nil
	}
	if scaled := new(big.Rat).Mul(r, big.NewRat(10000, 1)); scaled.IsInt() && scaled.Num().IsInt64() {
		if d, err := cedar.NewDecimal(scaled.Num().Int64(), -4); err == nil {
			return d, nil
		}
	}
	return cedar.String(n.String()), nil
}
