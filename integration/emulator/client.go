package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Client speaks the observation API over HTTP and signs people in as a browser
// would. The zero HTTP client means http.DefaultClient.
type Client struct {
	// BaseURL is where the emulator is reached, without a final slash.
	BaseURL string
	// HTTP is used for every request; nil means http.DefaultClient.
	HTTP *http.Client
}

// ErrDenied is returned by Approve when the provider sent an error instead of a
// code.
var ErrDenied = errors.New("authorization was refused")

// Approve opens an authorization URL as login, approves everything that is asked
// and returns the address that the browser would go to next, without going
// there. When the provider redirects with an error, it returns that address and
// an error that wraps ErrDenied.
func (c Client) Approve(ctx context.Context, authorizeURL, login string) (*url.URL, error) {
	return c.decide(ctx, authorizeURL, url.Values{"login": {login}, "decision": {"approve"}})
}

// ApproveOnly is Approve with only the named scopes left on.
func (c Client) ApproveOnly(ctx context.Context, authorizeURL, login string, scopes ...string) (*url.URL, error) {
	return c.decide(ctx, authorizeURL, url.Values{"login": {login}, "decision": {"approve"},
		"granted_listed": {"1"}, "granted": scopes})
}

// Deny opens an authorization URL as login and presses Deny. The error wraps
// ErrDenied; the address carries error=access_denied.
func (c Client) Deny(ctx context.Context, authorizeURL, login string) (*url.URL, error) {
	return c.decide(ctx, authorizeURL, url.Values{"login": {login}, "decision": {"deny"}})
}

func (c Client) decide(ctx context.Context, authorizeURL string, form url.Values) (*url.URL, error) {
	to, err := c.page(ctx, http.MethodGet, authorizeURL, nil)
	if err != nil || to != nil {
		return refusedIn(to, err)
	}
	to, err = c.page(ctx, http.MethodPost, authorizeURL, form)
	if err == nil && to == nil {
		err = errors.New("the decision was answered with a page, not a redirect")
	}
	return refusedIn(to, err)
}

// refusedIn reports an error parameter of the redirect.
func refusedIn(to *url.URL, err error) (*url.URL, error) {
	if err == nil && to.Query().Get("error") != "" {
		err = fmt.Errorf("%w: %s", ErrDenied, to.Query().Get("error"))
	}
	return to, err
}

// page makes one browser request: a redirect gives its target, a page nothing.
func (c Client) page(ctx context.Context, method, target string, form url.Values) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("open authorization page: %w", err)
	}
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http().Do(req)
	if err != nil {
		return nil, fmt.Errorf("open authorization page: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)); err != nil {
		return nil, fmt.Errorf("read authorization page: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return nil, nil
	case http.StatusFound, http.StatusSeeOther:
		to, err := resp.Location()
		if err != nil {
			return nil, fmt.Errorf("read redirect: %w", err)
		}
		return to, nil
	}
	return nil, fmt.Errorf("authorization page answered %d", resp.StatusCode)
}

// http returns a copy of the client that does not follow redirects.
func (c Client) http() *http.Client {
	h := http.Client{}
	if c.HTTP != nil {
		h = *c.HTTP
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

// RegisterClient adds or replaces an OAuth app at a provider.
func (c Client) RegisterClient(ctx context.Context, provider string, reg ClientRegistration) error {
	return c.call(ctx, http.MethodPost, provider+"/clients", reg, nil)
}

// Calls returns the log lines with a sequence number above since.
func (c Client) Calls(ctx context.Context, provider string, since int) (CallReport, error) {
	var out CallReport
	err := c.call(ctx, http.MethodGet, provider+"/calls?since="+strconv.Itoa(since), nil, &out)
	return out, err
}

// Counters returns the totals of a provider.
func (c Client) Counters(ctx context.Context, provider string) (CounterReport, error) {
	var out CounterReport
	err := c.call(ctx, http.MethodGet, provider+"/counters", nil, &out)
	return out, err
}

// Tokens returns every grant with its tokens as fingerprints.
func (c Client) Tokens(ctx context.Context, provider string) ([]GrantView, error) {
	var out struct {
		Grants []GrantView `json:"grants"`
	}
	err := c.call(ctx, http.MethodGet, provider+"/tokens", nil, &out)
	return out.Grants, err
}

// Settings returns the switches in force.
func (c Client) Settings(ctx context.Context, provider string) (SettingsReport, error) {
	var out SettingsReport
	err := c.call(ctx, http.MethodGet, provider+"/settings", nil, &out)
	return out, err
}

// ChangeSettings applies a change and returns the result.
func (c Client) ChangeSettings(ctx context.Context, provider string, ch SettingsChange) (SettingsReport, error) {
	var out SettingsReport
	err := c.call(ctx, http.MethodPost, provider+"/settings", ch, &out)
	return out, err
}

// Expire ends the lifetime of a person's live access tokens now.
func (c Client) Expire(ctx context.Context, provider, login string) error {
	return c.call(ctx, http.MethodPost, provider+"/expire", object{"login": login}, nil)
}

// RevokeGrant is the person removing the app in the provider's settings.
func (c Client) RevokeGrant(ctx context.Context, provider, login string) error {
	return c.call(ctx, http.MethodPost, provider+"/revoke", object{"login": login}, nil)
}

// Reset forgets everything; see Server.Reset.
func (c Client) Reset(ctx context.Context, keepClients bool) error {
	return c.call(ctx, http.MethodPost, "reset", object{"keep_clients": keepClients}, nil)
}

// Providers lists what is emulated.
func (c Client) Providers(ctx context.Context) ([]ProviderInfo, error) {
	var out struct {
		Providers []ProviderInfo `json:"providers"`
	}
	err := c.call(ctx, http.MethodGet, "providers", nil, &out)
	return out.Providers, err
}

func (c Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode emulator request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.BaseURL+"/_emulator/"+path, body)
	if err != nil {
		return fmt.Errorf("call emulator: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http().Do(req)
	if err != nil {
		return fmt.Errorf("call emulator: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		var problem struct {
			Error string `json:"error"`
		}
		_ = json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&problem) // best effort: the status says enough
		return fmt.Errorf("emulator answered %d to %s: %s", resp.StatusCode, path, problem.Error)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read emulator answer: %w", err)
	}
	return nil
}
