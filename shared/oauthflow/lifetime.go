package oauthflow

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
)

const introspectTimeout = 5 * time.Second

// lifetime is when the access token ends. Where the provider says it only on request it is asked at once: a connection that is
// believed to live longer than it does would fail its first call, and one believed to live shorter be refreshed for nothing.
// The declared lifetime counts when there is no answer.
func (f *Flow) lifetime(ctx context.Context, spec *catalog.Connector, client connection.Client, res connection.Tokens) time.Time {
	if spec.Expiry.Mode != catalog.ExpiryIntrospect || f.Introspector == nil {
		return res.Facts.ExpiresAt
	}
	ctx, cancel := context.WithTimeout(ctx, introspectTimeout)
	defer cancel()
	at, err := f.Introspector.Introspect(ctx, spec, client, res.Access, res.Facts.Metadata)
	if err != nil || !at.After(f.Now()) {
		f.Log.WarnContext(ctx, "lifetime not known; the declared one counts", "connector", spec.ID, "error", err)
		return res.Facts.ExpiresAt
	}
	return at
}
