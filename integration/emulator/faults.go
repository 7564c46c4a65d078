package emulator

import (
	"fmt"
	"net/http"
	"strings"
)

// Mode is what a fault does to a call. Besides the constants there are
// "status:NNN" (an HTTP status 400-599 with a body in the provider's style) and
// "error:CODE" (the provider's own way to report that error code), and "as:LOGIN"
// (the tokens are good, and the answer says that they are another person's).
type Mode string

// Fault modes.
const (
	// ModeLostReply processes the call, tokens rotate, and the connection is cut
	// without an answer.
	ModeLostReply Mode = "lost_reply"
	// ModeDropBefore cuts the connection before anything happens.
	ModeDropBefore Mode = "drop_before"
	// ModeSlow waits DelayMS and then answers normally.
	ModeSlow Mode = "slow"
	// ModeRateLimited answers a rate limit as this provider does: GitHub 403,
	// Slack 429, Salesforce 403.
	ModeRateLimited Mode = "rate_limited"
)

// Fault orders misbehaviour for the next calls of a kind.
//
// Go's http.Transport repeats a GET, and any request with an Idempotency-Key
// header, by itself when a kept-alive connection is cut: with Times 1 the caller
// then sees success and the log two calls. Order more times, or switch keep-alive
// off, to make the caller see the cut.
type Fault struct {
	// Kind is authorize, token, refresh, revoke, introspect or api.
	Kind Kind `json:"kind"`
	// Mode is what happens.
	Mode Mode `json:"mode"`
	// Times is how many calls it hits; 0 means 1.
	Times int `json:"times,omitempty"`
	// RetryAfter is sent as Retry-After (seconds) with status and rate limits.
	RetryAfter int `json:"retry_after,omitempty"`
	// DelayMS is the wait of mode slow (ms); 0 means 2000.
	DelayMS int `json:"delay_ms,omitempty"`
	// Login limits the fault to calls with that person's token or code.
	Login string `json:"login,omitempty"`
}

// normal fills defaults and refuses what the emulator cannot do.
func (f Fault) normal() (Fault, error) {
	switch f.Kind {
	case KindAuthorize, KindToken, KindRefresh, KindRevoke, KindIntrospect, KindAPI:
	default:
		return f, fmt.Errorf("fail_next: unknown kind %q", f.Kind)
	}
	_, coded := strings.CutPrefix(string(f.Mode), "error:")
	_, status := parseStatus(f.Mode)
	_, swapped := strings.CutPrefix(string(f.Mode), "as:")
	switch f.Mode {
	case ModeLostReply, ModeDropBefore, ModeSlow, ModeRateLimited:
	default:
		if !coded && !status && !swapped {
			return f, fmt.Errorf("fail_next: unknown mode %q", f.Mode)
		}
	}
	if f.Times < 0 || f.RetryAfter < 0 || f.DelayMS < 0 {
		return f, fmt.Errorf("fail_next: numbers must not be negative")
	}
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Mode == ModeSlow && f.DelayMS == 0 {
		f.DelayMS = 2000
	}
	return f, nil
}

// takeFault uses up one turn of the first fault that fits.
func (p *provider) takeFault(c *call) Fault {
	for i := range p.faults {
		f := &p.faults[i]
		if f.Kind != c.kind || (f.Login != "" && f.Login != c.login()) {
			continue
		}
		taken := *f
		if f.Times--; f.Times <= 0 {
			p.faults = append(p.faults[:i:i], p.faults[i+1:]...)
		}
		return taken
	}
	return Fault{}
}

// refusal is the answer a fault asks for, or nil if it does not answer.
func (f Fault) refusal() *refusal {
	if f.Mode == ModeRateLimited {
		return &refusal{reason: reasonRateLimited, retryAfter: f.RetryAfter}
	}
	if n, ok := parseStatus(f.Mode); ok {
		why := reasonStatus
		if n == http.StatusTooManyRequests {
			why = reasonRateLimited
		}
		return &refusal{reason: why, status: n, retryAfter: f.RetryAfter}
	}
	if code, ok := strings.CutPrefix(string(f.Mode), "error:"); ok {
		return &refusal{reason: reasonCoded, code: code, retryAfter: f.RetryAfter}
	}
	return nil
}
