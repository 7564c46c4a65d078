package admin

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/ident"
)

// executionView is what a session may know of an execution of its principal. The provider's answer is not kept.
type executionView struct {
	ExecutionID  string `json:"execution_id"`
	State        string `json:"state"`
	Tool         string `json:"tool,omitempty"`
	Effect       string `json:"effect,omitempty"`
	Connector    string `json:"connector,omitempty"`
	ConnectionID string `json:"connection_id,omitempty"`
	GrantID      string `json:"grant_id,omitempty"`
	SessionID    string `json:"session_id"`
	Agent        string `json:"agent,omitempty"`
	RunID        string `json:"run_id,omitempty"`
	InputSHA256  string `json:"input_sha256,omitempty"`
	Channel      string `json:"channel,omitempty"`
	Method       string `json:"method,omitempty"`
	Path         string `json:"path,omitempty"`
	Code         string `json:"code,omitempty"`
	Reason       string `json:"reason,omitempty"`
	Attempts     int    `json:"attempts,omitempty"`
	// ProviderStatus and DurationMS are those of the answer that counted.
	ProviderStatus int       `json:"provider_status,omitempty"`
	DurationMS     int64     `json:"duration_ms,omitempty"`
	Bytes          int64     `json:"bytes,omitempty"`
	StartedAt      time.Time `json:"started_at"`
	EndedAt        time.Time `json:"ended_at,omitzero"`
}

// lost is how long after its intent an execution without an outcome is taken for one that nobody knows the end of.
// A download takes two minutes and a half at most.
const lost = 3 * time.Minute

// getExecution says how an execution of the session's principal ended, for an agent that lost the answer. It reads the
// audit trail under credentials for the tenant, and shows nothing of other principals.
func (f *Function) getExecution(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	s, creds, err := r.Session(f.deps.Now())
	if err != nil {
		return nil, err
	}
	if err := r.Only(); err != nil {
		return nil, err
	}
	id, err := r.Path("execution")
	if err != nil {
		return nil, err
	}
	at, ok := ident.TimeOf("exec", id)
	if !ok {
		return nil, fault.Invalid("execution", "that is not an execution id; they look like exec_01j9…")
	}
	gates, err := f.open.Open(creds).DB.Gates(ctx, s.Scope)
	if err != nil {
		return nil, err
	}
	if err := gates.Admit(s); err != nil {
		return nil, err
	}
	db, err := f.tenantDB(ctx, s.Tenant)
	if err != nil {
		return nil, err
	}
	records, err := db.Execution(ctx, s.Tenant, id, at)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || records[0].Principal != string(s.Principal) || s.OnBehalfOf != "" && records[0].OnBehalfOf != string(s.OnBehalfOf) {
		return nil, fault.New(fault.NotFound, "this session's principal has no execution %s", id)
	}
	return apigw.JSON(http.StatusOK, viewExecution(records, f.deps.Now()))
}

func viewExecution(records []audit.Record, now time.Time) executionView {
	first, last := records[0], records[len(records)-1]
	v := executionView{ExecutionID: first.Execution, State: "in_flight", Tool: last.Tool, Effect: last.Effect, Connector: last.Connector, ConnectionID: last.Connection, GrantID: last.Grant,
		SessionID: first.Session, Agent: first.Agent, RunID: first.Run, InputSHA256: last.InputSHA256, Channel: string(last.Channel), Method: last.Method, Path: last.Path, Code: last.Code, Reason: last.Reason,
		Attempts: last.Attempts, ProviderStatus: last.ProviderStatus, DurationMS: last.DurationMS, Bytes: last.Bytes, StartedAt: first.Time}
	switch {
	case last.Kind == audit.ExecutionOutcome:
		v.State, v.EndedAt = last.Outcome, last.Time
	case last.Kind == audit.ExecutionRefused:
		v.State, v.EndedAt = "refused", last.Time
	case now.Sub(first.Time) > lost:
		v.State = "unknown"
	}
	return v
}
