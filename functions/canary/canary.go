package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/metric"
)

// Report is what one run found.
type Report struct {
	// Tried is how many attacks were made; Allowed which of them AWS let through.
	Tried   int      `json:"tried"`
	Allowed []string `json:"allowed"`
	// Refused are requests for the canary's own data that were denied.
	Refused []string `json:"own_refused"`
	// Unclear are attempts that ended in neither: throttled, no answer, an error that tells nothing about permission.
	Unclear []string `json:"unclear"`
}

// roles are the ARNs of the tenant roles, by the names of rights.
type roles map[string]string

// Function is the canary.
type Function struct {
	stage, key string
	tables     dynamo.Names
	roles      roles
	aws        aws.Config
	log        *slog.Logger
	now        func() time.Time
	out        io.Writer
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.ExecuteRole, env.RefreshRole, env.ConnectRole, env.PortalRole, env.DirectoryRole,
		env.KeysRole, env.NotifyRole}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	f := &Function{stage: r.Require(env.Stage), key: r.Require(env.VaultKey), aws: d.AWS, log: d.Log, now: d.Now, out: d.Metrics,
		tables: dynamo.Names{Vault: r.Require(env.VaultTable), Directory: r.Require(env.DirectoryTable), Flow: r.Require(env.FlowTable), Audit: r.Require(env.AuditTable)},
		roles: roles{"execute": r.Require(env.ExecuteRole), "refresh": r.Require(env.RefreshRole), "connect": r.Require(env.ConnectRole), "portal": r.Require(env.PortalRole),
			"directory": r.Require(env.DirectoryRole), "keys": r.Require(env.KeysRole), "notify": r.Require(env.NotifyRole)}}
	return f, r.Err()
}

// Handle runs all attempts, one after the other, and reports them. It returns an error when it could not begin: credentials for
// its own tenants were refused, or the metric could not be written. An attack that got through is no error but the metric's
// business, so that it is not mistaken for a broken function.
func (f *Function) Handle(ctx context.Context, _ json.RawMessage) (Report, error) {
	attempts, err := f.attempts(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("prepare the attacks: %w", err)
	}
	var r Report
	for _, a := range attempts {
		if ctx.Err() != nil {
			r.add(a, unclear)
			continue
		}
		err := a.do(ctx)
		v := judge(err)
		r.add(a, v)
		if v == unclear || a.own != (v == passed) {
			f.log.ErrorContext(ctx, "the isolation canary found something", "attempt", a.name, "own", a.own, "outcome", string(v), "error", err)
		}
	}
	return r, f.emit(r)
}

func (r *Report) add(a attempt, v verdict) {
	if !a.own {
		r.Tried++
	}
	switch {
	case v == unclear:
		r.Unclear = append(r.Unclear, a.name)
	case a.own && v == refused:
		r.Refused = append(r.Refused, a.name)
	case !a.own && v == passed:
		r.Allowed = append(r.Allowed, a.name)
	}
}

type verdict string

const (
	refused verdict = "refused"
	passed  verdict = "passed"
	unclear verdict = "unclear"
)

// judge tells a refusal by IAM from everything else. An answer that only comes after permission was given is a success of the
// attack, even if the request then failed: an unmet condition, or a ciphertext that does not fit its context.
func judge(err error) verdict {
	if err == nil {
		return passed
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return unclear
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return refused
	case "ConditionalCheckFailedException", "TransactionCanceledException", "InvalidCiphertextException", "IncorrectKeyException":
		return passed
	}
	return unclear
}

// emit writes the metric. A value of zero is one too: silence would be taken for good news.
func (f *Function) emit(r Report) error {
	m := metric.New(f.out, f.stage, f.now)
	for _, x := range []struct {
		name  metric.Name
		value int
	}{{metric.AttacksTried, r.Tried}, {metric.AttacksAllowed, len(r.Allowed)}, {metric.OwnRefused, len(r.Refused)}, {metric.Unclear, len(r.Unclear)}} {
		m.Add(x.name, float64(x.value), metric.Labels{})
	}
	return m.Flush()
}
