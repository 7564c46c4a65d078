package oauthflow

import (
	"context"
	"net/url"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

// installed takes the answer of a setup page, on which an app is installed. It brings no code, or one that was asked for without
// PKCE and is left alone: the browser goes on to consent with a state of its own. What the answer names is kept as a claim.
// Whoever sits at the browser can write any installation into it, so it counts only once the account's own token was shown to
// reach it (post_connect, by_param).
func (f *Flow) installed(ctx context.Context, l Link, spec *catalog.Connector, a Arrival) (string, error) {
	switch spec.SetupAnswer(a.Query) {
	case catalog.SetupPending:
		return f.refuse(ctx, l, "approval_requested")
	case catalog.SetupUnknown:
		return f.refuse(ctx, l, "provider_error")
	}
	got, err := spec.CallbackMetadata(a.Query, l.Captured, true)
	if err != nil {
		return "", err
	}
	l.Captured, l.Setup = l.captured(got), false
	d, err := f.depart(ctx, Page{Link: l, Connector: spec}, a.Cookie)
	if err != nil {
		return "", used(err)
	}
	return d.URL, nil
}

// refuse ends a link whose browser came back with less than a consent.
func (f *Flow) refuse(ctx context.Context, l Link, reason string) (string, error) {
	done, err := f.finish(ctx, l, LinkDenied, reason)
	if err != nil {
		return "", used(err)
	}
	f.audit(ctx, done, audit.LinkRefused, audit.Record{Reason: reason})
	f.tell(ctx, done, events.LinkConsentDenied, reason)
	return done.back(), nil
}

// once refuses an answer that names a parameter twice.
func once(q url.Values, names []string) error {
	for _, k := range names {
		if len(q[k]) > 1 {
			return fault.Invalid(k, "the provider's answer names %q twice", k)
		}
	}
	return nil
}
