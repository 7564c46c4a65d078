package policy

import (
	"encoding/json"
	"fmt"
	"strings"

	"behalf.dev/behalf/integration/localaws/cfn"
)

// Account and Region stand in for CloudFormation's pseudo parameters.
const (
	Account = "123456789012"
	Region  = "eu-central-1"
)

// Resource is one resource of a stack with its intrinsic functions resolved.
type Resource struct {
	Stack, LogicalID, Type string
	Properties             map[string]any
	// DeletionPolicy is what CloudFormation does with it when it leaves the stack.
	DeletionPolicy string
}

// Deployment is the resources of all stacks.
type Deployment struct {
	Resources []Resource
}

// Role is a role's documents, as decoded JSON.
type Role struct {
	Name, ARN string
	Trust     map[string]any
	Policies  map[string]map[string]any
	Managed   []any
}

// Load resolves templates, keyed by stack name. It returns an error for a template that does not decode and for an intrinsic
// function or reference that cannot be resolved.
func Load(templates map[string][]byte) (*Deployment, error) {
	set, err := cfn.Load(templates, cfn.Environment{Region: Region, Account: Account}, attribute)
	if err != nil {
		return nil, fmt.Errorf("load templates: %w", err)
	}
	deletion, err := deletionPolicies(templates)
	if err != nil {
		return nil, err
	}
	d := &Deployment{}
	err = set.Each(func(r *cfn.Resource) error {
		out := Resource{Stack: r.Stack, LogicalID: r.LogicalID, Type: r.Type, DeletionPolicy: deletion[r.Stack+"/"+r.LogicalID]}
		if err := set.Decode(r, &out.Properties); err != nil {
			return err
		}
		d.Resources = append(d.Resources, out)
		return nil
	})
	return d, err
}

// deletionPolicies reads what the resolver leaves out, by stack and logical id.
func deletionPolicies(templates map[string][]byte) (map[string]string, error) {
	out := map[string]string{}
	for name, text := range templates {
		var t struct {
			Resources map[string]struct{ DeletionPolicy string }
		}
		if err := json.Unmarshal(text, &t); err != nil {
			return nil, fmt.Errorf("decode template %s: %w", name, err)
		}
		for id, r := range t.Resources {
			out[name+"/"+id] = r.DeletionPolicy
		}
	}
	return out, nil
}

// Of returns the resources of one type, such as "AWS::IAM::Role".
func (d *Deployment) Of(kind string) []Resource {
	var out []Resource
	for _, r := range d.Resources {
		if r.Type == kind {
			out = append(out, r)
		}
	}
	return out
}

// Roles returns the roles by their name without the deployment's prefix: "execute" is a function's own role,
// "tenant-execute" the one that is assumed for a tenant.
func (d *Deployment) Roles() map[string]Role {
	out := map[string]Role{}
	for _, r := range d.Of("AWS::IAM::Role") {
		name, _ := r.Properties["RoleName"].(string)
		if name == "" {
			name = r.LogicalID
		}
		role := Role{Name: name, ARN: "arn:aws:iam::" + Account + ":role/" + name, Policies: map[string]map[string]any{}}
		role.Trust, _ = r.Properties["AssumeRolePolicyDocument"].(map[string]any)
		role.Managed, _ = r.Properties["ManagedPolicyArns"].([]any)
		inline, _ := r.Properties["Policies"].([]any)
		for _, p := range inline {
			m, _ := p.(map[string]any)
			policyName, _ := m["PolicyName"].(string)
			role.Policies[policyName], _ = m["PolicyDocument"].(map[string]any)
		}
		out[strings.TrimPrefix(name, "behalf-local-")] = role
	}
	return out
}
