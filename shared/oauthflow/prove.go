package oauthflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// What redeeming may take. One of the first (or the endpoint's own for a code, as long), and the other two, stay below what API
// Gateway waits for Confirm, 29 s: a provider that hangs must end as a failed link, not as a function that was cut off.
const (
	mintTimeout     = 15 * time.Second
	identifyTimeout = 8 * time.Second
	discardTimeout  = 4 * time.Second
)

// prove makes tokens of what somebody typed or imported. Nothing is taken at its word: a key that mints has minted when
// prove returns; a pasted one is proved by the identity request that follows.
func (f *Flow) prove(ctx context.Context, spec *catalog.Connector, client connection.Client, seed catalog.Seed) (connection.Tokens, error) {
	meta := spec.Metadata(seed.Values)
	if spec.Mode.Static() {
		access, err := spec.Credential(seed.Values)
		return connection.Tokens{Access: access, Facts: connection.TokenFacts{Metadata: meta}}, err
	}
	kept, err := seed.Text()
	if err != nil {
		return connection.Tokens{}, err
	}
	res, err := f.mint(ctx, spec, client, kept, meta)
	res.Refresh = kept
	return res, err
}

// mint asks for an access token, once, and adds what is known about the account.
func (f *Flow) mint(ctx context.Context, spec *catalog.Connector, client connection.Client, kept secret.Text, meta map[string]string) (connection.Tokens, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mintTimeout)
	defer cancel()
	res, err := f.Endpoint.Refresh(ctx, spec, client, kept, meta)
	if err != nil {
		return res, notAccepted(spec, err)
	}
	all := maps.Clone(meta)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, res.Facts.Metadata)
	res.Facts.Metadata = all
	return res, nil
}

// notAccepted is the error for a credential that the provider refused. An account that never was connected cannot be
// connected again, which is what the outcome's own fault says.
func notAccepted(spec *catalog.Connector, err error) error {
	var p *catalog.ProviderFailure
	if !errors.As(err, &p) {
		return err
	}
	return refusedOutcome(spec, p.Outcome, err)
}

func refusedOutcome(spec *catalog.Connector, out catalog.Outcome, err error) error {
	switch out.Kind {
	case catalog.OutcomeDead, catalog.OutcomeExpired, catalog.OutcomeClientError, catalog.OutcomeScope:
		return fault.New(fault.Conflict, "%s did not accept the credential (%s); nothing was connected", spec.Name, out.Reason).With("connector", spec.ID).
			With("reason", "credential_rejected").With("provider_reason", out.Reason).With("provider_status", out.Status).WithCause(err)
	}
	return err
}

// identify asks the provider whom the token stands for.
func (f *Flow) identify(ctx context.Context, spec *catalog.Connector, res connection.Tokens) (connection.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	var body []byte
	if req, ok, err := spec.IdentityRequest(res.Facts.Metadata); err != nil {
		return connection.Account{}, err
	} else if ok {
		h, err := req.HTTP(ctx)
		if err != nil {
			return connection.Account{}, err
		}
		egress.Authorize(h, req.Auth.Put, res.Access)
		got, err := f.Provider.Do(h)
		if err != nil {
			return connection.Account{}, fmt.Errorf("ask the provider for the account: %w", err)
		}
		if out := spec.ClassifyAPIResponse(got.Status, got.Header, got.Body); out.Kind != catalog.OutcomeOK {
			err := fault.New(fault.ProviderError, "%s did not say whose account this is", spec.Name).With("provider_status", got.Status).With("reason", out.Reason)
			if spec.Mode != catalog.ModeOAuth2 {
				return connection.Account{}, refusedOutcome(spec, out, err)
			}
			return connection.Account{}, err
		}
		body = got.Body
	}
	who, err := spec.ParseIdentity(body, res.Facts.Metadata)
	if err != nil && spec.Mode.Static() { // an answer to nobody in particular: Zendesk greets an anonymous user
		return connection.Account{}, refusedOutcome(spec, catalog.Outcome{Kind: catalog.OutcomeDead, Reason: "anonymous", Status: 200}, err)
	}
	if err != nil {
		return connection.Account{}, err
	}
	return connection.Account{ID: who.AccountID, Login: who.Login, Name: who.Name, Email: who.Email, TenantID: who.TenantID, TenantName: who.TenantName}, nil
}

// discard revokes tokens that were obtained and will not be used. It is a courtesy to the account's owner, so a failure is
// logged and nothing else. What reaches further than the token itself is left alone while the principal has another
// connection at the provider, which it might end; a pasted credential is never ours to revoke.
func (f *Flow) discard(ctx context.Context, l Link, spec *catalog.Connector, client connection.Client, res connection.Tokens) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	if spec.Mode.Static() || res.Access.IsZero() {
		return
	}
	call, ok, err := spec.RevokeRequest(res.Facts.Metadata, client.ID)
	if err == nil && ok && call.BlastRadius != catalog.BlastToken {
		ok, err = f.alone(ctx, l)
	}
	if err == nil && ok {
		err = f.revoke(ctx, spec, client, call, res)
		for _, set := range res.Sets {
			err = errors.Join(err, f.revoke(ctx, spec, client, call, set))
		}
	}
	if err != nil {
		f.Log.WarnContext(ctx, "unused tokens were not revoked", "connector", spec.ID, "error", err)
	}
}

// alone reports that the principal has no other connection with tokens at the connector.
func (f *Flow) alone(ctx context.Context, l Link) (bool, error) {
	all, err := f.Siblings.ConnectionsOf(ctx, l.Scope)
	for _, c := range all {
		if c.Connector == l.Connector && !c.Part() && c.Status != connection.Revoked && c.Refresh.Generation > 0 {
			return false, err
		}
	}
	return err == nil, err
}

func (f *Flow) revoke(ctx context.Context, spec *catalog.Connector, client connection.Client, call catalog.RevokeSpec, res connection.Tokens) error {
	for _, kind := range call.Kinds(!res.Refresh.IsZero()) {
		about := res.Access
		if kind == catalog.TokenRefresh {
			about = res.Refresh
		}
		if err := f.revokeOne(ctx, spec, client, call, res.Access, about); err != nil {
			return err
		}
	}
	return nil
}

func (f *Flow) revokeOne(ctx context.Context, spec *catalog.Connector, client connection.Client, call catalog.RevokeSpec, access, about secret.Text) error {
	req, err := call.HTTP(ctx, spec.APIAuth, client.Secret.Reveal(reveal.Key{}), access.Reveal(reveal.Key{}), about.Reveal(reveal.Key{}))
	if err != nil {
		return err
	}
	got, err := f.Provider.Do(req)
	if err != nil {
		return err
	}
	if ok, summary := spec.ParseRevoke(got.Status, got.Header, got.Body); !ok {
		return fault.New(fault.ProviderError, "%s did not confirm the revocation: %s", spec.Name, summary)
	}
	return nil
}
