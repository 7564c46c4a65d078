package localaws

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/cfn"
	"behalf.dev/behalf/integration/localaws/eventbridge"
)

func (d *deployer) queue(r *cfn.Resource) error {
	v, err := d.set.Property(r, "RedrivePolicy")
	if err != nil {
		return err
	}
	if r.Properties["FifoQueue"] == true {
		return fmt.Errorf("FIFO queues are not emulated")
	}
	attrs := map[string]string{}
	if v != nil {
		if attrs["RedrivePolicy"], err = document(v); err != nil {
			return err
		}
	}
	for property, attr := range map[string]string{"VisibilityTimeout": "VisibilityTimeout", "DelaySeconds": "DelaySeconds",
		"MessageRetentionPeriod": "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds"} {
		v, err := d.set.Property(r, property)
		if err != nil {
			return err
		}
		if v != nil {
			attrs[attr] = fmt.Sprint(v)
		}
	}
	name, err := d.name(r)
	if err != nil {
		return err
	}
	_, _, err = d.a.sqs.Create(name, attrs)
	return err
}

func (d *deployer) queuePolicy(r *cfn.Resource) error {
	var p struct {
		PolicyDocument any
		Queues         []string
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	doc, err := document(p.PolicyDocument)
	if err != nil {
		return err
	}
	for _, url := range p.Queues {
		if _, _, err := d.a.sqs.Create(url[strings.LastIndexByte(url, '/')+1:], map[string]string{"Policy": doc}); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployer) bus(r *cfn.Resource) error {
	name, err := d.name(r)
	d.a.events.CreateBus(name)
	return err
}

func (d *deployer) rule(r *cfn.Resource) error {
	var p struct {
		EventBusName, State, ScheduleExpression string
		EventPattern                            any
		Targets                                 []eventbridge.Target
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	name, err := d.name(r)
	if err != nil {
		return err
	}
	off := p.State == "DISABLED"
	if p.ScheduleExpression != "" {
		for i, t := range p.Targets {
			s := eventbridge.Schedule{Name: fmt.Sprintf("%s-%d", name, i), Group: "rules", Expression: p.ScheduleExpression, Disabled: off, Target: t}
			if _, err := d.a.events.PutSchedule(s); err != nil {
				return err
			}
		}
		return nil
	}
	doc, err := document(p.EventPattern)
	if err != nil {
		return err
	}
	pattern, err := eventbridge.ParsePattern([]byte(doc))
	if err != nil {
		return err
	}
	_, err = d.a.events.PutRule(p.EventBusName, eventbridge.Rule{Name: name, Pattern: pattern, Disabled: off, Targets: append([]eventbridge.Target{}, p.Targets...)})
	return err
}

func (d *deployer) schedule(r *cfn.Resource) error {
	var p struct {
		GroupName, ScheduleExpression, State string
		Target                               eventbridge.Target
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	name, err := d.name(r)
	if err != nil {
		return err
	}
	_, err = d.a.events.PutSchedule(eventbridge.Schedule{Name: name, Group: p.GroupName, Expression: p.ScheduleExpression, Disabled: p.State == "DISABLED", Target: p.Target})
	return err
}

func (d *deployer) function(r *cfn.Resource) error {
	var p struct {
		Role        string
		Timeout     json.Number
		Environment struct{ Variables map[string]any }
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	name, err := d.name(r)
	if err != nil {
		return err
	}
	f := Function{LogicalID: r.LogicalID, Name: name, ARN: d.a.functionARN(name), RoleARN: p.Role, Timeout: 3 * time.Second, Environment: map[string]string{}}
	if n, err := p.Timeout.Int64(); err == nil {
		f.Timeout = time.Duration(n) * time.Second
	}
	for k, v := range p.Environment.Variables {
		f.Environment[k] = fmt.Sprint(v)
	}
	d.out.Functions = append(d.out.Functions, f)
	d.a.mu.Lock()
	defer d.a.mu.Unlock()
	d.a.functionFor(f.ARN).timeout = f.Timeout
	return nil
}

func (d *deployer) mapping(r *cfn.Resource) error {
	var p struct {
		EventSourceArn, FunctionName, StartingPosition string
		BatchSize                                      json.Number
		Enabled                                        *bool
		FunctionResponseTypes                          []string
		MaximumRetryAttempts                           *json.Number
		ScalingConfig                                  struct{ MaximumConcurrency json.Number }
		FilterCriteria                                 struct{ Filters []struct{ Pattern string } }
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	e := EventSource{ID: r.Stack + "." + r.LogicalID, SourceARN: p.EventSourceArn, FunctionARN: d.a.functionARN(p.FunctionName), Retries: -1,
		FromLatest: p.StartingPosition == "LATEST", Disabled: p.Enabled != nil && !*p.Enabled, ReportFailures: contains(p.FunctionResponseTypes, "ReportBatchItemFailures")}
	e.BatchSize, e.Concurrency = number(p.BatchSize), number(p.ScalingConfig.MaximumConcurrency)
	if p.MaximumRetryAttempts != nil {
		e.Retries = number(*p.MaximumRetryAttempts)
	}
	for _, f := range p.FilterCriteria.Filters {
		pattern, err := eventbridge.ParsePattern([]byte(f.Pattern))
		if err != nil {
			return err
		}
		e.Filters = append(e.Filters, pattern)
	}
	d.a.AddEventSource(e)
	for i := range d.out.Functions {
		if d.out.Functions[i].ARN == e.FunctionARN {
			d.out.Functions[i].EventSources = append(d.out.Functions[i].EventSources, e)
		}
	}
	return nil
}

func number(n json.Number) int {
	i, _ := n.Int64() // absent means 0, the default
	return int(i)
}
