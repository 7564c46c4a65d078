package emulator

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Values of Settings.Rotation and Settings.OnReuse.
const (
	RotationNone   = "none"         // a refresh returns no new refresh token
	RotationAlways = "always"       // each refresh replaces the refresh token
	ReuseError     = "error"        // an old refresh token only fails
	ReuseRevokes   = "revoke_grant" // an old refresh token kills the whole grant
)

// Settings are the switches of one provider. Durations are in the unit that the
// name says.
type Settings struct {
	// AccessTTLSeconds is the lifetime of new access tokens; 0: they never expire
	// (GitHub and Slack then issue no refresh token, as when the app did not opt
	// in to expiry).
	AccessTTLSeconds int `json:"access_ttl_seconds"`
	// RefreshTTLSeconds is the lifetime of new refresh tokens; 0: no end.
	RefreshTTLSeconds int `json:"refresh_ttl_seconds"`
	// CodeTTLSeconds is the lifetime of authorization codes, 60 to 600.
	CodeTTLSeconds int `json:"code_ttl_seconds"`
	// Rotation is none or always.
	Rotation string `json:"rotation"`
	// RefreshGraceSeconds is how long a replaced refresh token still works.
	RefreshGraceSeconds int `json:"refresh_grace_seconds"`
	// OnReuse is what a replaced refresh token does after the grace: error or
	// revoke_grant.
	OnReuse string `json:"on_reuse"`
	// TokenDelayMS slows token, refresh, revoke and introspect calls (ms).
	TokenDelayMS int `json:"token_delay_ms"`
	// APIDelayMS slows API calls (ms).
	APIDelayMS int `json:"api_delay_ms"`
	// MaxGrants is how many live grants a person may have per client before the
	// oldest is dropped; 0: no cap.
	MaxGrants int `json:"max_grants"`
	// RequirePKCE refuses authorization requests without a code_challenge.
	RequirePKCE bool `json:"require_pkce"`
	// ISS adds the iss parameter of RFC 9207 to authorization responses.
	ISS bool `json:"iss"`
}

// SettingsChange changes what is not nil. FailNext replaces the faults that are
// still waiting; an empty list clears them.
type SettingsChange struct {
	AccessTTLSeconds    *int     `json:"access_ttl_seconds,omitempty"`
	RefreshTTLSeconds   *int     `json:"refresh_ttl_seconds,omitempty"`
	CodeTTLSeconds      *int     `json:"code_ttl_seconds,omitempty"`
	Rotation            *string  `json:"rotation,omitempty"`
	RefreshGraceSeconds *int     `json:"refresh_grace_seconds,omitempty"`
	OnReuse             *string  `json:"on_reuse,omitempty"`
	TokenDelayMS        *int     `json:"token_delay_ms,omitempty"`
	APIDelayMS          *int     `json:"api_delay_ms,omitempty"`
	MaxGrants           *int     `json:"max_grants,omitempty"`
	RequirePKCE         *bool    `json:"require_pkce,omitempty"`
	ISS                 *bool    `json:"iss,omitempty"`
	FailNext            *[]Fault `json:"fail_next,omitempty"`
}

// SettingsReport is what the settings endpoint answers: the switches in force
// and the faults still waiting.
type SettingsReport struct {
	Settings
	FailNext []Fault `json:"fail_next"`
}

// apply returns the settings after the change, or an error that names the field.
func (ch SettingsChange) apply(s Settings) (Settings, error) {
	assign(&s.AccessTTLSeconds, ch.AccessTTLSeconds)
	assign(&s.RefreshTTLSeconds, ch.RefreshTTLSeconds)
	assign(&s.CodeTTLSeconds, ch.CodeTTLSeconds)
	assign(&s.Rotation, ch.Rotation)
	assign(&s.RefreshGraceSeconds, ch.RefreshGraceSeconds)
	assign(&s.OnReuse, ch.OnReuse)
	assign(&s.TokenDelayMS, ch.TokenDelayMS)
	assign(&s.APIDelayMS, ch.APIDelayMS)
	assign(&s.MaxGrants, ch.MaxGrants)
	assign(&s.RequirePKCE, ch.RequirePKCE)
	assign(&s.ISS, ch.ISS)
	return s, s.check()
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s Settings) check() error {
	for name, n := range map[string]int{
		"access_ttl_seconds": s.AccessTTLSeconds, "refresh_ttl_seconds": s.RefreshTTLSeconds,
		"refresh_grace_seconds": s.RefreshGraceSeconds, "token_delay_ms": s.TokenDelayMS,
		"api_delay_ms": s.APIDelayMS, "max_grants": s.MaxGrants,
	} {
		if n < 0 {
			return fmt.Errorf("%s: must not be negative", name)
		}
	}
	switch {
	case s.CodeTTLSeconds < 60 || s.CodeTTLSeconds > 600:
		return fmt.Errorf("code_ttl_seconds: must be 60 to 600")
	case s.Rotation != RotationNone && s.Rotation != RotationAlways:
		return fmt.Errorf("rotation: must be %s or %s", RotationNone, RotationAlways)
	case s.OnReuse != ReuseError && s.OnReuse != ReuseRevokes:
		return fmt.Errorf("on_reuse: must be %s or %s", ReuseError, ReuseRevokes)
	}
	return nil
}

// delayFor adds the standing delay of the kind and that of a slow fault.
func (p *provider) delayFor(c *call) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	ms := 0
	switch c.kind {
	case KindAPI:
		ms = p.set.APIDelayMS
	case KindToken, KindRefresh, KindRevoke, KindIntrospect:
		ms = p.set.TokenDelayMS
	}
	if c.fault.Mode == ModeSlow {
		ms += c.fault.DelayMS
	}
	return time.Duration(ms) * time.Millisecond
}

// parseStatus reads the number of a "status:503" mode.
func parseStatus(m Mode) (int, bool) {
	text, ok := strings.CutPrefix(string(m), "status:")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 400 && n <= 599
}
