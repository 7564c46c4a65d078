package approval

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// Principals tells whether somebody may act at all.
type Principals interface {
	// Suspended reports that the directory suspended the principal; fault.NotFound when the tenant does not exist or is closed.
	Suspended(ctx context.Context, s tenant.Scope) (bool, error)
}

// Opener opens sealed arguments.
type Opener interface {
	Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error)
}

// Events tells whoever listens of a decision, by its record.
type Events interface {
	ApprovalChanged(ctx context.Context, r audit.Record) error
}

// Deps is what a Desk works with, under one principal's credentials.
type Deps struct {
	Approvals  toolcall.Approvals
	Links      Links
	Principals Principals
	Opener     Opener
	Recorder   audit.Recorder
	Events     Events
	Log        *slog.Logger
	Now        func() time.Time
	NewID      func(prefix string) string
	NewSecret  func() string
	// PublicURL is where browsers reach us, without a trailing slash.
	PublicURL string
}

// Desk is where approvals are decided.
type Desk struct{ Deps }

// New returns a Desk over d.
func New(d Deps) *Desk { return &Desk{d} }

var approvalID = regexp.MustCompile(`^apr_[0-9a-f]{64}$`)

// Get reads an approval; fault.NotFound.
func (d *Desk) Get(ctx context.Context, s tenant.Scope, id string) (toolcall.Approval, error) {
	if !approvalID.MatchString(id) {
		return toolcall.Approval{}, fault.New(fault.NotFound, "principal %s has no such approval", s.Principal)
	}
	return d.Approvals.Approval(ctx, s, id)
}

// Arguments opens the arguments of the call, as JSON.
func (d *Desk) Arguments(ctx context.Context, a toolcall.Approval) (json.RawMessage, error) {
	t, err := d.Opener.Open(ctx, toolcall.ApprovalBinding(a), a.Input)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(t.Reveal(reveal.Key{})), nil
}

// Decision is a person's answer.
type Decision struct {
	Approve bool
	// Approver is whom the back end named, by its own id or name; Note is theirs, may be empty.
	Approver, Note string
	// Asked, if set, is the request that the person was shown, by its time.
	Asked time.Time
	// By is who brought the answer: an API key's id, or "approval_link".
	By string
}

// The longest approver and note, in bytes.
const (
	MaxApprover = 200
	MaxNote     = 1000
)

// CheckApprover returns fault.InvalidInput when s names nobody, or is no plain text.
func CheckApprover(field, s string) error {
	if strings.TrimSpace(s) == "" || len(s) > MaxApprover || !plain(s, "") {
		return fault.Invalid(field, "approver is who decides, as your product knows them: 1 to %d bytes without control characters", MaxApprover)
	}
	return nil
}

// CheckNote returns fault.InvalidInput when s is too long, or is no plain text.
func CheckNote(field, s string) error {
	if len(s) > MaxNote || !plain(s, "\r\n\t") {
		return fault.Invalid(field, "note is at most %d bytes without control characters", MaxNote)
	}
	return nil
}

// plain refuses what is no text, and control characters that are not among allowed.
func plain(s, allowed string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) })
}

// Decide records x and then puts it in force. It returns fault.Conflict when there is nothing to decide any more, when
// somebody else was faster, or when x was about an earlier request for the same call; fault.Revoked for a suspended principal.
func (d *Desk) Decide(ctx context.Context, s tenant.Scope, id string, x Decision) (toolcall.Approval, error) {
	a, err := d.pending(ctx, s, id)
	if err != nil {
		return a, err
	}
	if !x.Asked.IsZero() && !x.Asked.Equal(a.Asked) {
		return a, fault.New(fault.Conflict, "the agent asked again for this call since; look at the request of %s", a.Asked.UTC().Format(time.RFC3339)).With("reason", "asked_again")
	}
	next, err := a.Decide(x.Approve, x.Approver, x.Note, d.Now())
	if err != nil {
		return a, err
	}
	made := d.note(next, x, "succeeded", "")
	if err := d.Recorder.Record(ctx, made); err != nil { // first: a decision that is not on record must not be in force
		return a, err
	}
	done, err := d.Approvals.PutApproval(ctx, next)
	if err == nil {
		if perr := d.Events.ApprovalChanged(context.WithoutCancel(ctx), made); perr != nil { // nothing hangs on it
			d.Log.ErrorContext(ctx, "event not published", "approval", id, "error", perr)
		}
		return done, nil
	}
	if rerr := d.Recorder.Record(context.WithoutCancel(ctx), d.note(next, x, "failed", string(fault.From(err).Code))); rerr != nil {
		d.Log.ErrorContext(ctx, "a decision that failed is recorded as if it had not", "approval", id, "error", rerr)
	}
	if !fault.Is(err, fault.Conflict) {
		return a, err
	}
	if a, err = d.Approvals.Approval(ctx, s, id); err != nil {
		return a, err
	}
	_, err = a.Decide(x.Approve, x.Approver, x.Note, d.Now())
	if err == nil { // decided, used and asked for again meanwhile
		err = fault.New(fault.Conflict, "the agent asked again for this call at the same time; look again").With("reason", "asked_again")
	}
	return a, err
}

// pending reads an approval of a principal that may act, whether it is still pending or not.
func (d *Desk) pending(ctx context.Context, s tenant.Scope, id string) (toolcall.Approval, error) {
	suspended, err := d.Principals.Suspended(ctx, s)
	if err != nil {
		return toolcall.Approval{}, err
	}
	if suspended {
		return toolcall.Approval{}, fault.New(fault.Revoked, "the directory suspended principal %s; nothing can be approved for it", s.Principal)
	}
	return d.Get(ctx, s, id)
}

func (d *Desk) note(a toolcall.Approval, x Decision, outcome, code string) audit.Record {
	return audit.Record{ID: d.NewID("aud"), Kind: audit.ApprovalDecided, Time: d.Now(), Tenant: a.Tenant, Principal: string(a.Principal), Connector: a.Connector,
		Connection: string(a.Connection), Session: a.Session, Agent: a.Agent, Run: a.Run, Tool: a.Tool, Effect: string(a.Effect), Rule: a.Rule, Approval: a.ID, ApprovedBy: x.Approver,
		Reason: string(a.Status), By: x.By, Outcome: outcome, Code: code, ApprovalAsked: a.Asked.UTC()}
}
