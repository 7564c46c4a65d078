package catalog

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// StepValues are what the requests of token.extra_steps are made of. They sit behind a function, like Values.
type StepValues struct {
	get func(name string) (string, bool)
}

// NewStepValues takes the client, the tokens of the answer before, and the metadata so far.
func NewStepValues(clientID string, clientSecret, access, refresh []byte, meta map[string]string) StepValues {
	return StepValues{func(name string) (string, bool) {
		if m, ok := strings.CutPrefix(name, ofConnection); ok {
			v, ok := meta[m]
			return v, ok
		}
		v, ok := map[string]string{stepAccess: string(access), stepRefresh: string(refresh), stepClientID: clientID, stepClientSecret: string(clientSecret)}[name]
		return v, ok
	}}
}

const (
	stepAccess       = "token.access"
	stepRefresh      = "token.refresh"
	stepClientID     = "client.id"
	stepClientSecret = "client.secret"
)

// ExtraSteps are the requests, by their number, that follow an answer of the token endpoint before its access token is of use.
// renews tells a refresh, or a mint, from an exchange.
func (c *Connector) ExtraSteps(renews bool) []int {
	on := map[bool]string{false: onExchange, true: onRefresh}[renews]
	var out []int
	for i, step := range c.m.Token.ExtraSteps {
		if len(step.On) == 0 || slices.Contains(step.On, on) {
			out = append(out, i)
		}
	}
	return out
}

// StepRequest is request i behind a token answer, credentials included: its URL may be a secret.
func (c *Connector) StepRequest(ctx context.Context, i int, meta map[string]string, v StepValues) (*http.Request, error) {
	spec := c.m.Token.ExtraSteps[i].Request
	u, err := c.url(stepURL(i), meta, nil)
	if err != nil {
		return nil, err
	}
	query, err := v.fill(spec.Query)
	if err != nil {
		return nil, err
	}
	fields, err := v.fill(spec.Body)
	if err != nil {
		return nil, err
	}
	u.RawQuery = query.Encode()
	body, contentType, err := TokenCall{Format: spec.Format}.body(fields)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, spec.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.New(fault.Internal, "a step behind the token request could not be built")
	}
	req.Header = headers(map[string]string{"Accept": "application/json"}, spec.Headers)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	v.authorize(req, spec.Auth)
	return req, nil
}

func stepURL(i int) string { return fmt.Sprintf("token.extra_steps[%d]", i) }

func (v StepValues) fill(spec map[string]string) (url.Values, error) {
	out := url.Values{}
	for name, tmpl := range spec {
		t, _ := parseText(tmpl) // checked at load
		value, missing := t.expand(v.get)
		if missing != "" {
			return nil, fault.New(fault.ProviderError, "a step behind the token request needs %s, which is not there", missing).With("reason", "step_value_missing")
		}
		out.Set(name, value)
	}
	return out, nil
}

func (v StepValues) authorize(req *http.Request, auth CallAuth) {
	id, _ := v.get(stepClientID)
	key, _ := v.get(stepClientSecret)
	access, _ := v.get(stepAccess)
	switch auth {
	case CallAuthBearer:
		req.Header.Set("Authorization", "Bearer "+access)
	case CallAuthClientBasic:
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(key))
	}
}

// ParseStep reads the answer to request i and puts what it says over t: another access token, its end, metadata. The refresh token
// stays. It returns the fault of the classified failure; the token endpoint's error rules judge it.
func (c *Connector) ParseStep(i int, status int, header http.Header, body []byte, t TokenResponse, now time.Time) (TokenResponse, error) {
	spec := c.m.Token.ExtraSteps[i]
	a := answer{status: status, header: header, body: decodeTokenBody(header, body), on: onStep}
	code, _ := lookupText(a.body, c.m.Errors.Token.Code)
	if status/100 != 2 || code != "" || !a.all(spec.Success) {
		o := c.apply(a, c.m.Errors.Token, tokenDefault(a, c.m.Errors.Token))
		if o.Kind == OutcomeOK {
			o.Kind = OutcomeError
		}
		return t, o.failure(c.ID)
	}
	if path := spec.Map.AccessToken; path != "" {
		access, _ := lookupText(a.body, path)
		if access == "" {
			return t, fault.New(fault.ProviderError, "%s answered a step behind the token request without an access token", c.ID).With("reason", "step_without_token")
		}
		t.AccessToken = secret.FromString(access)
		if c.Expiry.Mode == ExpiryField { // that of the token before is not this one's
			t.ExpiresAt = time.Time{}
		}
	}
	if path := spec.Map.ExpiresIn; path != "" {
		t.ExpiresAt = c.expiresFrom(a.body, path, now)
	}
	if t.Metadata == nil {
		t.Metadata = map[string]string{}
	}
	for name, path := range spec.Capture {
		if v, ok := lookupText(a.body, path); ok && v != "" && len(v) <= maxMetadata {
			t.Metadata[name] = v
		}
	}
	return t, c.checkCapturedHosts(t.Metadata)
}
