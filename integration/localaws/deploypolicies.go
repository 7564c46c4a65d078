package localaws

import (
	"encoding/json"
	"fmt"
	"time"

	"behalf.dev/behalf/integration/localaws/cfn"
	"behalf.dev/behalf/integration/localaws/iam"
)

// ensureKey makes sure the key exists, so that its random id can be referenced; the policy
// follows in key, because it may refer to roles that refer to the key.
func (d *deployer) ensureKey(r *cfn.Resource) (arn, id string, err error) {
	spec, _ := r.Properties["KeySpec"].(string)
	if spec == "" {
		spec = "SYMMETRIC_DEFAULT"
	}
	note, _ := r.Properties["Description"].(string)
	return d.a.kms.Ensure(r.Stack+"."+r.LogicalID, spec, "", note)
}

func (d *deployer) key(r *cfn.Resource) error {
	arn, _, err := d.ensureKey(r)
	if err != nil {
		return err
	}
	v, err := d.set.Property(r, "KeyPolicy")
	if err != nil || v == nil {
		return err
	}
	doc, err := document(v)
	if err != nil {
		return err
	}
	return d.a.kms.SetPolicy(arn, doc)
}

func (d *deployer) alias(r *cfn.Resource) error {
	var p struct {
		AliasName   string
		TargetKeyID string `json:"TargetKeyId"`
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	return d.a.kms.SetAlias(p.AliasName, p.TargetKeyID)
}

func (d *deployer) role(r *cfn.Resource) error {
	var p struct {
		AssumeRolePolicyDocument any
		Policies                 []struct {
			PolicyName     string
			PolicyDocument any
		}
		MaxSessionDuration  json.Number
		PermissionsBoundary string
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	if p.PermissionsBoundary != "" {
		return fmt.Errorf("permissions boundaries are not evaluated here, so the role would be too strong")
	}
	name, err := d.name(r)
	if err != nil {
		return err
	}
	role := &iam.Role{Name: name, ARN: d.roleARN(r, name)}
	if n, err := p.MaxSessionDuration.Int64(); err == nil {
		role.MaxSession = time.Duration(n) * time.Second
	}
	if role.Trust, err = parsePolicy("trust policy of "+name, p.AssumeRolePolicyDocument); err != nil {
		return err
	}
	for _, inline := range p.Policies {
		doc, err := parsePolicy(inline.PolicyName, inline.PolicyDocument)
		if err != nil {
			return err
		}
		role.Policies = append(role.Policies, doc)
	}
	d.a.iam.SetRole(role)
	return nil
}

func parsePolicy(name string, v any) (*iam.Policy, error) {
	doc, err := document(v)
	if err != nil {
		return nil, err
	}
	return iam.Parse(name, []byte(doc))
}

// attachPolicy adds a policy to the roles that it names, or that name it. AWS managed policies
// (logs, X-Ray) are not loaded: nothing here checks those services.
func (d *deployer) attachPolicy(r *cfn.Resource) error {
	var p struct {
		PolicyName, RoleName string
		PolicyDocument       any
		Roles                []string
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	if p.RoleName != "" {
		p.Roles = append(p.Roles, p.RoleName)
	}
	own, err := d.attribute(r, "")
	if err != nil {
		return err
	}
	policy, err := parsePolicy(p.PolicyName+r.LogicalID, p.PolicyDocument)
	if err != nil {
		return err
	}
	return d.set.Each(func(target *cfn.Resource) error {
		name, err := d.name(target)
		if err != nil {
			return err
		}
		managed, err := d.set.Property(target, "ManagedPolicyArns")
		if err != nil {
			return err
		}
		if !contains(p.Roles, name) && !(r.Type == "AWS::IAM::ManagedPolicy" && lists(managed, own)) {
			return nil
		}
		role := *d.a.iam.Role(d.roleARN(target, name))
		role.Policies = append(append([]*iam.Policy(nil), role.Policies...), policy)
		d.a.iam.SetRole(&role)
		return nil
	}, "AWS::IAM::Role")
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func lists(v any, s string) bool {
	l, _ := v.([]any)
	for _, x := range l {
		if x == s {
			return true
		}
	}
	return false
}
