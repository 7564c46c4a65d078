package awslambda_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

func TestFailure_RoundTrip_KeepsCodeMessageAndTime(t *testing.T) {
	t.Parallel()
	in := fault.New(fault.RateLimited, "slow down: 50%% of it").WithRetryAfter(1500 * time.Millisecond).WithCause(errors.New("private"))
	out := fault.From(awslambda.Failed(awslambda.Failure(in)))
	if out.Code != in.Code || out.Message != in.Message || out.RetryAfter != in.RetryAfter || strings.Contains(out.Error(), "private") {
		t.Errorf("%+v", out)
	}
	if awslambda.Failure(nil) != nil || awslambda.Failed(nil) != nil {
		t.Error("no failure became one")
	}
	if f := awslambda.Failure(errors.New("private")); f.Code != string(fault.Internal) || strings.Contains(f.Message, "private") {
		t.Errorf("%+v", f)
	}
}

func TestParseRef_MessagesAreInput(t *testing.T) {
	t.Parallel()
	good := connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "Zoë"}, Connector: "github", ID: "conn_00000000000000000000000000"}
	if got, err := awslambda.ParseRef(awslambda.RefOf(good)); err != nil || got != good {
		t.Errorf("%+v %v", got, err)
	}
	for name, spoil := range map[string]func(*events.Ref){
		"tenant": func(r *events.Ref) { r.Tenant = "" }, "wild tenant": func(r *events.Ref) { r.Tenant = "*" }, "principal": func(r *events.Ref) { r.Principal = "" }, "reserved": func(r *events.Ref) { r.Principal = "_flow" }, "connection": func(r *events.Ref) { r.Connection = "x" },
	} {
		e := awslambda.RefOf(good)
		spoil(&e)
		if _, err := awslambda.ParseRef(e); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithFields_LinesSayWhoseRequest(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(awslambda.WithFields(slog.NewJSONHandler(&b, nil))).With("function", "execute")
	ctx := awslambda.With(t.Context(), awslambda.Fields{RequestID: "req_1", Tenant: "acme"})
	ctx = awslambda.With(ctx, awslambda.Fields{Principal: "user_alice", Execution: "exec_1"})
	log.InfoContext(ctx, "done")
	for _, want := range []string{`"request_id":"req_1"`, `"tenant":"acme"`, `"principal":"user_alice"`, `"execution_id":"exec_1"`, `"function":"execute"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "session_id") {
		t.Errorf("empty fields are written: %s", b.String())
	}
}
