package cfn

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// noValue is AWS::NoValue: the property is removed.
type noValue struct{}

// resolve replaces all intrinsic functions in a value.
func (s *Set) resolve(stack string, v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 1 {
			for fn, arg := range v {
				if fn == "Ref" || fn == "Condition" && isName(arg) || strings.HasPrefix(fn, "Fn::") {
					return s.intrinsic(stack, fn, arg)
				}
			}
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			r, err := s.resolve(stack, x)
			if err != nil {
				return nil, err
			}
			if r != (any)(noValue{}) {
				out[k] = r
			}
		}
		return out, nil
	case []any:
		out := make([]any, 0, len(v))
		for _, x := range v {
			r, err := s.resolve(stack, x)
			if err != nil {
				return nil, err
			}
			if r != (any)(noValue{}) {
				out = append(out, r)
			}
		}
		return out, nil
	}
	return v, nil
}

// isName tells {"Condition": "Name"} (a reference) from the Condition block of a policy.
func isName(v any) bool { _, ok := v.(string); return ok }

func (s *Set) intrinsic(stack, fn string, arg any) (any, error) {
	switch fn {
	case "Ref":
		return s.ref(stack, text(arg))
	case "Fn::Sub":
		return s.sub(stack, arg)
	case "Fn::If":
		return s.choose(stack, arg)
	case "Condition":
		return s.condition(stack, text(arg))
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not":
		return s.logic(stack, fn, arg)
	}
	arg, err := s.resolve(stack, arg)
	if err != nil {
		return nil, err
	}
	list, _ := arg.([]any)
	switch fn {
	case "Fn::GetAtt":
		if name, ok := arg.(string); ok {
			id, attr, _ := strings.Cut(name, ".")
			return s.getAtt(stack, id, attr)
		}
		if len(list) == 2 {
			return s.getAtt(stack, text(list[0]), text(list[1]))
		}
	case "Fn::ImportValue":
		return s.importValue(text(arg))
	case "Fn::Join":
		if parts, ok := at(list, 1).([]any); ok {
			return strings.Join(texts(parts), text(list[0])), nil
		}
	case "Fn::Split":
		if len(list) == 2 {
			return anys(strings.Split(text(list[1]), text(list[0]))), nil
		}
	case "Fn::Select":
		i, err := strconv.Atoi(text(at(list, 0)))
		if parts, ok := at(list, 1).([]any); ok && err == nil && i < len(parts) {
			return parts[i], nil
		}
	case "Fn::FindInMap":
		if len(list) >= 3 {
			if v, ok := s.stacks[stack].Mappings[text(list[0])][text(list[1])][text(list[2])]; ok {
				return v, nil
			}
			return "unmapped", nil
		}
	case "Fn::GetAZs":
		return []any{s.env.Region + "a", s.env.Region + "b", s.env.Region + "c"}, nil
	case "Fn::Base64":
		return text(arg), nil
	}
	return nil, fmt.Errorf("intrinsic function %s cannot be resolved here", fn)
}

func at(l []any, i int) any {
	if i < len(l) {
		return l[i]
	}
	return nil
}

func anys(l []string) []any {
	out := make([]any, len(l))
	for i, x := range l {
		out[i] = x
	}
	return out
}

func texts(l []any) []string {
	out := make([]string, len(l))
	for i, x := range l {
		out[i] = text(x)
	}
	return out
}

// text writes a scalar as CloudFormation would.
func text(v any) string {
	switch v := v.(type) {
	case nil, noValue:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}

func (s *Set) ref(stack, name string) (any, error) {
	switch name {
	case "AWS::Region":
		return s.env.Region, nil
	case "AWS::AccountId":
		return s.env.Account, nil
	case "AWS::Partition":
		return "aws", nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	case "AWS::StackName":
		return stack, nil
	case "AWS::StackId":
		return "arn:aws:cloudformation:" + s.env.Region + ":" + s.env.Account + ":stack/" + stack + "/local", nil
	case "AWS::NotificationARNs":
		return []any{}, nil
	case "AWS::NoValue":
		return noValue{}, nil
	}
	if p, ok := s.stacks[stack].Parameters[name]; ok {
		if p.Default == nil {
			return "", nil
		}
		return p.Default, nil
	}
	return s.getAtt(stack, name, "")
}

func (s *Set) getAtt(stack, id, attr string) (any, error) {
	r := s.resources[stack][id]
	if r == nil {
		return nil, fmt.Errorf("stack %s has no resource or parameter %q", stack, id)
	}
	return s.attrs(r, attr)
}

// sub replaces ${Name}, ${Resource.Attribute} and local variables; ${!x} stays as ${x}.
func (s *Set) sub(stack string, arg any) (any, error) {
	vars := map[string]any{}
	if list, ok := arg.([]any); ok && len(list) == 2 {
		v, err := s.resolve(stack, list[1])
		if err != nil {
			return nil, err
		}
		vars, _ = v.(map[string]any)
		arg = list[0]
	}
	src, out := text(arg), strings.Builder{}
	for {
		before, rest, found := strings.Cut(src, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("function Fn::Sub: unclosed variable in %q", text(arg))
		}
		src = after
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			out.WriteString("${" + literal + "}")
			continue
		}
		v, err := s.variable(stack, name, vars)
		if err != nil {
			return nil, err
		}
		out.WriteString(text(v))
	}
}

func (s *Set) variable(stack, name string, vars map[string]any) (any, error) {
	if v, ok := vars[name]; ok {
		return v, nil
	}
	if id, attr, ok := strings.Cut(name, "."); ok {
		return s.getAtt(stack, id, attr)
	}
	return s.ref(stack, name)
}

// choose is Fn::If: only the taken branch is resolved.
func (s *Set) choose(stack string, arg any) (any, error) {
	list, _ := arg.([]any)
	if len(list) != 3 {
		return nil, fmt.Errorf("function Fn::If needs three arguments")
	}
	ok, err := s.condition(stack, text(list[0]))
	if err != nil {
		return nil, err
	}
	if ok {
		return s.resolve(stack, list[1])
	}
	return s.resolve(stack, list[2])
}

// condition evaluates a named condition; the empty name holds.
func (s *Set) condition(stack, name string) (bool, error) {
	if name == "" {
		return true, nil
	}
	c, ok := s.stacks[stack].Conditions[name]
	key := "condition " + stack + "." + name
	if !ok || s.resolving[key] {
		return false, fmt.Errorf("stack %s: condition %q is missing or depends on itself", stack, name)
	}
	s.resolving[key] = true
	defer delete(s.resolving, key)
	v, err := s.resolve(stack, c)
	return v == true, err
}

func (s *Set) logic(stack, fn string, arg any) (any, error) {
	v, err := s.resolve(stack, arg)
	if err != nil {
		return nil, err
	}
	list, _ := v.([]any)
	switch fn {
	case "Fn::Equals":
		return text(at(list, 0)) == text(at(list, 1)), nil
	case "Fn::Not":
		return at(list, 0) != true, nil
	}
	for _, x := range list {
		if (x == true) == (fn == "Fn::Or") {
			return fn == "Fn::Or", nil
		}
	}
	return fn == "Fn::And", nil
}
