package localaws

import (
	"encoding/json"

	"behalf.dev/behalf/integration/localaws/cfn"
	"behalf.dev/behalf/integration/localaws/ddb"
)

// document turns a resolved policy document into JSON text; nil becomes "".
func document(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// table creates a table once per deployment.
func (d *deployer) table(r *cfn.Resource) error {
	if _, done := d.tables[r]; done {
		return nil
	}
	var p struct {
		ddb.Spec
		TimeToLiveSpecification *ddb.TimeToLiveSpec
		ResourcePolicy          *struct{ PolicyDocument any }
		Replicas                []struct {
			Region         string
			ResourcePolicy *struct{ PolicyDocument any }
		}
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	name, err := d.name(r)
	if err != nil {
		return err
	}
	s := p.Spec
	s.TableName, s.TimeToLive = name, p.TimeToLiveSpecification
	s.Tags, s.SSESpecification, s.ProvisionedThroughput = nil, nil, nil
	if s.StreamSpecification != nil {
		s.StreamSpecification.StreamEnabled = true
	}
	policy := p.ResourcePolicy
	for _, rep := range p.Replicas {
		if rep.ResourcePolicy != nil && rep.Region == d.a.opt.Region {
			policy = rep.ResourcePolicy
		}
	}
	if policy != nil {
		if s.ResourcePolicy, err = document(policy.PolicyDocument); err != nil {
			return err
		}
	}
	d.tables[r] = name
	_, err = d.a.ddb.Create(s)
	return err
}
