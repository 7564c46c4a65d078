package localaws

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/cfn"
)

// Deployment is what LoadTemplates made of the templates.
type Deployment struct {
	Functions []Function
	Outputs   map[string]string   // by "Stack.Output"
	Resources map[string]Resource // by "Stack.LogicalID"
}

// Resource is a deployed resource.
type Resource struct {
	Stack, LogicalID, Type string
	Ref, ARN               string // ARN is empty for types without one
}

// Function is a Lambda function of a template.
type Function struct {
	LogicalID, Name, ARN, RoleARN string
	Timeout                       time.Duration
	Environment                   map[string]string // intrinsics resolved
	EventSources                  []EventSource
}

// deployer carries one LoadTemplates.
type deployer struct {
	a      *AWS
	set    *cfn.Set
	out    *Deployment
	naming map[*cfn.Resource]bool // names under way, to find cycles
	tables map[*cfn.Resource]string
}

// LoadTemplates deploys CloudFormation templates (JSON) by stack name. Stacks may import from
// each other in any order. Tables, keys and queues that exist keep their data; policies, rules
// and mappings are replaced. Resource types that Behalf does not use get placeholder references.
func (a *AWS) LoadTemplates(templates map[string][]byte) (*Deployment, error) {
	d := &deployer{a: a, out: &Deployment{Resources: map[string]Resource{}}, naming: map[*cfn.Resource]bool{}, tables: map[*cfn.Resource]string{}}
	set, err := cfn.Load(templates, cfn.Environment{Region: a.opt.Region, Account: a.opt.Account}, d.attribute)
	if err != nil {
		return nil, err
	}
	d.set = set
	for _, step := range []struct {
		deploy func(*cfn.Resource) error
		types  []string
	}{
		{d.table, []string{"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"}},
		{d.key, []string{"AWS::KMS::Key"}},
		{d.alias, []string{"AWS::KMS::Alias"}},
		{d.role, []string{"AWS::IAM::Role"}},
		{d.attachPolicy, []string{"AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"}},
		{d.queue, []string{"AWS::SQS::Queue"}},
		{d.bucket, []string{"AWS::S3::Bucket"}},
		{d.bucketPolicy, []string{"AWS::S3::BucketPolicy"}},
		{d.queuePolicy, []string{"AWS::SQS::QueuePolicy"}},
		{d.bus, []string{"AWS::Events::EventBus"}},
		{d.function, []string{"AWS::Lambda::Function"}},
		{d.rule, []string{"AWS::Events::Rule"}},
		{d.schedule, []string{"AWS::Scheduler::Schedule"}},
		{d.mapping, []string{"AWS::Lambda::EventSourceMapping"}},
		{d.note, nil},
	} {
		if err := set.Each(step.deploy, step.types...); err != nil {
			return nil, err
		}
	}
	if d.out.Outputs, err = set.Outputs(); err != nil {
		return nil, err
	}
	return d.out, nil
}

// note records what a resource became.
func (d *deployer) note(r *cfn.Resource) error {
	res := Resource{Stack: r.Stack, LogicalID: r.LogicalID, Type: r.Type}
	var err error
	if res.Ref, err = d.attribute(r, ""); err != nil {
		return err
	}
	if _, known := nameProperty(r.Type); known || r.Type == "AWS::KMS::Key" {
		if res.ARN, err = d.attribute(r, "Arn"); err != nil {
			return err
		}
	}
	d.out.Resources[r.Stack+"."+r.LogicalID] = res
	return nil
}

// nameProperty is the property that names a resource of a type.
func nameProperty(kind string) (property string, known bool) {
	switch kind {
	case "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable":
		return "TableName", true
	case "AWS::IAM::Role":
		return "RoleName", true
	case "AWS::IAM::ManagedPolicy":
		return "ManagedPolicyName", true
	case "AWS::S3::Bucket":
		return "BucketName", true
	case "AWS::SQS::Queue":
		return "QueueName", true
	case "AWS::Events::EventBus", "AWS::Events::Rule", "AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup":
		return "Name", true
	case "AWS::Lambda::Function":
		return "FunctionName", true
	}
	return "", false
}

// name is the physical name: the one the template states, else a stable invention.
func (d *deployer) name(r *cfn.Resource) (string, error) {
	property, known := nameProperty(r.Type)
	if known && r.Properties[property] != nil {
		if d.naming[r] {
			return "", fmt.Errorf("the name of %s depends on itself", r.LogicalID)
		}
		d.naming[r] = true
		defer delete(d.naming, r)
		v, err := d.set.Property(r, property)
		if err != nil {
			return "", err
		}
		if s, ok := v.(string); ok && s != "" {
			return s, nil
		}
	}
	sum := sha256.Sum256([]byte(r.Stack + "/" + r.LogicalID))
	name := r.Stack + "-" + r.LogicalID
	return name[:min(len(name), 51)] + "-" + strings.ToUpper(hex.EncodeToString(sum[:6])), nil
}

// attribute answers Ref (attr "") and Fn::GetAtt.
func (d *deployer) attribute(r *cfn.Resource, attr string) (string, error) {
	name, err := d.name(r)
	if err != nil {
		return "", err
	}
	a := d.a
	switch r.Type {
	case "AWS::KMS::Key":
		arn, id, err := d.ensureKey(r)
		if attr == "Arn" {
			return arn, err
		}
		return id, err
	case "AWS::KMS::Alias":
		v, err := d.set.Property(r, "AliasName")
		return fmt.Sprint(v), err
	case "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable":
		if attr == "StreamArn" {
			if err := d.table(r); err != nil {
				return "", err
			}
			return a.ddb.StreamARN(name), nil
		}
		return pick(attr, name, a.arn("dynamodb", "table/"+name)), nil
	case "AWS::IAM::Role":
		return pick(attr, name, d.roleARN(r, name)), nil
	case "AWS::IAM::ManagedPolicy":
		return "arn:aws:iam::" + a.opt.Account + ":policy/" + name, nil
	case "AWS::SQS::Queue":
		url := a.opt.BaseURL + "/" + a.opt.Account + "/" + name
		if attr == "QueueName" {
			return name, nil
		}
		return pick(attr, url, a.arn("sqs", name)), nil
	case "AWS::Lambda::Function":
		return pick(attr, name, a.functionARN(name)), nil
	case "AWS::S3::Bucket":
		return pick(attr, name, "arn:aws:s3:::"+name), nil
	}
	return d.otherAttribute(r, attr, name)
}

func (d *deployer) otherAttribute(r *cfn.Resource, attr, name string) (string, error) {
	a := d.a
	switch r.Type {
	case "AWS::Lambda::Version", "AWS::Lambda::Alias":
		v, err := d.set.Property(r, "FunctionName")
		qualifier, _ := d.set.Property(r, "Name") // absent for a version
		if qualifier == nil {
			qualifier = "1"
		}
		if attr == "Version" {
			return "1", err
		}
		return a.functionARN(fmt.Sprint(v)) + ":" + fmt.Sprint(qualifier), err
	case "AWS::Events::EventBus":
		return pick(attr, name, a.arn("events", "event-bus/"+name)), nil
	case "AWS::Events::Rule":
		return pick(attr, name, a.arn("events", "rule/"+name)), nil
	case "AWS::Scheduler::Schedule":
		return pick(attr, name, a.arn("scheduler", "schedule/default/"+name)), nil
	}
	if strings.HasSuffix(attr, "Arn") {
		service := strings.ToLower(strings.Split(r.Type+"::::", "::")[1])
		return a.arn(service, name), nil
	}
	if attr == "" {
		return name, nil
	}
	return name + "-" + attr, nil
}

// pick chooses between reference and ARN.
func pick(attr, ref, arn string) string {
	if attr == "Arn" {
		return arn
	}
	return ref
}

func (a *AWS) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + a.opt.Region + ":" + a.opt.Account + ":" + resource
}

func (d *deployer) roleARN(r *cfn.Resource, name string) string {
	path, _ := r.Properties["Path"].(string)
	if path == "" {
		path = "/"
	}
	return "arn:aws:iam::" + d.a.opt.Account + ":role" + path + name
}
