package awslambda

import (
	"context"
	"log/slog"
)

type fieldsKey struct{}

// Fields are what every log line of a request says: whose request, which execution.
type Fields struct{ RequestID, Tenant, Principal, Session, Execution string }

// With adds fields to the log lines written under the returned context; empty ones keep what is there.
func With(ctx context.Context, f Fields) context.Context {
	old, _ := ctx.Value(fieldsKey{}).(Fields)
	set := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	set(&old.RequestID, f.RequestID)
	set(&old.Tenant, f.Tenant)
	set(&old.Principal, f.Principal)
	set(&old.Session, f.Session)
	set(&old.Execution, f.Execution)
	return context.WithValue(ctx, fieldsKey{}, old)
}

// WithFields wraps a handler so that it writes the context's Fields.
func WithFields(h slog.Handler) slog.Handler { return fieldHandler{h} }

type fieldHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h fieldHandler) Handle(ctx context.Context, r slog.Record) error {
	f, _ := ctx.Value(fieldsKey{}).(Fields)
	if f.RequestID == "" {
		f.RequestID = RequestID(ctx)
	}
	for _, a := range []slog.Attr{slog.String("request_id", f.RequestID), slog.String("tenant", f.Tenant), slog.String("principal", f.Principal), slog.String("session_id", f.Session), slog.String("execution_id", f.Execution)} {
		if a.Value.String() != "" {
			r.AddAttrs(a)
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h fieldHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return fieldHandler{h.Handler.WithAttrs(a)}
}

// WithGroup implements slog.Handler.
func (h fieldHandler) WithGroup(name string) slog.Handler {
	return fieldHandler{h.Handler.WithGroup(name)}
}
