package localaws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/ddb"
	"behalf.dev/behalf/integration/localaws/eventbridge"
	"behalf.dev/behalf/integration/localaws/iam"
	"behalf.dev/behalf/integration/localaws/kms"
	"behalf.dev/behalf/integration/localaws/s3"
	"behalf.dev/behalf/integration/localaws/sqs"
)

// call is one API call on its way.
type call struct {
	service, op string // "dynamodb", "GetItem"
	protocol    protocol
	accessKey   string
	body        []byte
	http        *http.Request
	caller      *iam.Caller
}

// reply is an answer before it is written.
type reply struct {
	body   []byte // already encoded, or nil
	value  any    // to be encoded as JSON when body is nil
	header map[string]string
	status int // 0 means 200
}

// maxRequest bounds a request body in bytes; the largest real one is a 16 MB batch.
const maxRequest = 20 << 20

// ServeHTTP answers one AWS call.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		http.Error(w, "request body cannot be read", http.StatusBadRequest)
		return
	}
	c := route(r, body)
	a.counter.add(c)
	out, err := a.handle(r.Context(), c)
	if err != nil {
		c.protocol.fail(w, asError(err))
		return
	}
	c.protocol.write(w, c, out)
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	if n := r.ContentLength; n > 0 && n < maxRequest {
		b.Grow(int(n) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(r.Body, maxRequest))
	return b.Bytes(), err
}

func asError(err error) *awserr.Error {
	var ae *awserr.Error
	if errors.As(err, &ae) {
		return ae
	}
	return &awserr.Error{Code: "InternalFailure", Message: err.Error(), Status: 500}
}

// handle applies faults around the authorised execution.
func (a *AWS) handle(ctx context.Context, c *call) (reply, error) {
	hit := a.faults.take(c.service+":"+c.op, c.body)
	if err := hit.before(ctx, c.service); err != nil {
		return reply{}, err
	}
	out, err := a.run(ctx, c)
	if lost := hit.after(c.service); lost != nil {
		return reply{}, lost
	}
	return out, err
}

func (a *AWS) run(ctx context.Context, c *call) (reply, error) {
	caller, err := a.iam.Authenticate(c.accessKey, c.http.Header.Get("X-Amz-Security-Token"))
	if err != nil {
		return reply{}, err
	}
	c.caller = caller
	a.counter.by(c, caller.Principal.ARN)
	switch c.service {
	case "dynamodb":
		return a.runDynamoDB(c)
	case "kms":
		return a.runKMS(c)
	case "sqs":
		return a.runSQS(ctx, c)
	case "events":
		return a.runEvents(c)
	case "sts":
		return a.runSTS(c)
	case "scheduler":
		return a.runScheduler(c)
	case "lambda":
		return a.runLambda(ctx, c)
	case "s3":
		return a.runS3(c)
	}
	return reply{}, awserr.Unknown(c.service + ":" + c.op)
}

func (a *AWS) runDynamoDB(c *call) (reply, error) {
	r, err := ddb.Parse(c.op, c.body)
	if err != nil {
		return reply{}, err
	}
	if !c.caller.Principal.Administrator {
		if err := a.iam.Authorize(c.caller, a.ddb.Access(r)...); err != nil {
			return reply{}, err
		}
	}
	body, err := a.ddb.Run(r)
	return reply{body: body}, err
}

func (a *AWS) runKMS(c *call) (reply, error) {
	r, err := kms.Parse(c.op, c.body)
	if err != nil {
		return reply{}, err
	}
	if err := a.iam.Authorize(c.caller, a.kms.Access(r)...); err != nil {
		return reply{}, err
	}
	v, err := a.kms.Run(r)
	return reply{value: v}, err
}

func (a *AWS) runSQS(ctx context.Context, c *call) (reply, error) {
	r, err := sqs.Parse(c.op, c.body)
	if err != nil {
		return reply{}, err
	}
	if err := a.iam.Authorize(c.caller, a.sqs.Access(r)...); err != nil {
		return reply{}, err
	}
	v, err := a.sqs.Run(ctx, r)
	return reply{value: v}, err
}

// runS3 holds the account's owner to the bucket policy as well: Object Lock and the denials beside it are there for owners too.
func (a *AWS) runS3(c *call) (reply, error) {
	r, err := s3.Parse(c.op, c.http, c.body)
	if err != nil {
		return reply{}, err
	}
	if err := a.iam.AuthorizeAll(c.caller, a.s3.Access(r)...); err != nil {
		return reply{}, err
	}
	out, err := a.s3.Run(r)
	return reply{status: out.Status, header: out.Header, body: out.Body}, err
}

func (a *AWS) runEvents(c *call) (reply, error) {
	r, err := eventbridge.Parse(c.op, c.body)
	if err != nil {
		return reply{}, err
	}
	if err := a.iam.Authorize(c.caller, a.events.Access(r)...); err != nil {
		return reply{}, err
	}
	v, err := a.events.Run(r)
	return reply{value: v}, err
}

func (a *AWS) runScheduler(c *call) (reply, error) {
	name := strings.TrimPrefix(c.http.URL.Path, "/schedules/")
	group := c.http.URL.Query().Get("groupName")
	if c.op == "CreateSchedule" {
		var q struct{ GroupName string }
		if err := json.Unmarshal(c.body, &q); err != nil {
			return reply{}, awserr.Validation("%v", err)
		}
		group = q.GroupName
	}
	if err := a.iam.Authorize(c.caller, iam.Check{Action: "scheduler:" + c.op, Resource: a.events.ScheduleARN(group, name)}); err != nil {
		return reply{}, err
	}
	v, err := a.events.RunSchedule(c.op, group, name, c.body)
	return reply{value: v}, err
}

func (a *AWS) runSTS(c *call) (reply, error) {
	form, err := formValues(c)
	if err != nil {
		return reply{}, err
	}
	switch c.op {
	case "AssumeRole":
		s, err := a.iam.AssumeRole(c.caller, form)
		if err != nil {
			return reply{}, err
		}
		return reply{body: assumeRoleXML(s)}, nil
	case "GetCallerIdentity":
		return reply{body: callerIdentityXML(c.caller, a.opt.Account)}, nil
	}
	return reply{}, &awserr.Error{Code: "UnknownOperationException", Message: fmt.Sprintf("not implemented by the embedded AWS: sts:%s", c.op), Status: 501}
}
