package authn

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// Permissions of API keys. A route names the one it needs.
func Permissions() []string {
	return []string{"approvals:read", "approvals:write", "audit:read", "clients:read", "clients:write", "connections:read", "connections:write", "connectors:read",
		"keys:read", "keys:write", "logins:write", "policy:read", "policy:write", "sessions:org", "sessions:write", "tenants:read", "tenants:write", "webhooks:read", "webhooks:write"}
}

// KeyKind tells the two kinds of stored key apart; it is part of the key's text, so that secret scanners find leaks.
type KeyKind string

// The kinds of key.
const (
	APIKey  KeyKind = "key"  // bhf_key_<id>_<secret>
	SCIMKey KeyKind = "scim" // bhf_scim_<tenant>.<id>_<secret>
)

// Key is a stored key: everything but its text.
type Key struct {
	Kind KeyKind
	ID   string
	// Tenant is the tenant that a SCIM token belongs to, or that an API key is limited to. An API key for the whole
	// deployment has tenant.Deployment.
	Tenant      tenant.ID
	Name        string
	Permissions []string
	Digest      [sha256.Size]byte
	Created     time.Time
	// Expires is zero for a key without an end.
	Expires time.Time
}

// NewKey makes a key and its text. The text is shown once and not stored.
func NewKey(ids ident.Source, kind KeyKind, t tenant.ID, name string, permissions []string, now time.Time) (Key, secret.Text) {
	k := Key{Kind: kind, ID: strings.TrimPrefix(ids.New("k"), "k_"), Tenant: t, Name: name, Permissions: permissions, Created: now}
	text := "bhf_" + string(kind) + "_"
	if kind == SCIMKey {
		text += t.Tag() + "."
	}
	s := secret.FromString(text + k.ID + "_" + ids.Secret())
	k.Digest = s.Digest()
	return k, s
}

// KeyRef is what the text of a key says about where its record is.
type KeyRef struct {
	Kind   KeyKind
	Tenant tenant.ID
	ID     string
}

// ParseKey reads the reference out of a key's text. It returns fault.Unauthenticated for anything else.
func ParseKey(text secret.Text) (KeyRef, error) {
	bad := fault.New(fault.Unauthenticated, "the key is not one of ours; API keys look like bhf_key_…")
	s := string(text.Reveal(reveal.Key{}))
	if rest, ok := strings.CutPrefix(s, "bhf_key_"); ok {
		id, sec, ok := strings.Cut(rest, "_")
		if !ok || !plausible(id, 26) || !plausible(sec, 52) {
			return KeyRef{}, bad
		}
		return KeyRef{APIKey, tenant.Deployment, id}, nil
	}
	if rest, ok := strings.CutPrefix(s, "bhf_scim_"); ok {
		t, rest, ok1 := strings.Cut(rest, ".")
		id, sec, ok2 := strings.Cut(rest, "_")
		tid, err := tenant.Parse("", t)
		if !ok1 || !ok2 || err != nil || !plausible(id, 26) || !plausible(sec, 52) {
			return KeyRef{}, bad
		}
		return KeyRef{SCIMKey, tid, id}, nil
	}
	return KeyRef{}, bad
}

func plausible(s string, n int) bool {
	return len(s) == n && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// Check compares the presented text with the stored digest in constant time, and the expiry with now. It returns
// fault.Unauthenticated.
func (k Key) Check(text secret.Text, now time.Time) error {
	d := text.Digest()
	if subtle.ConstantTimeCompare(d[:], k.Digest[:]) != 1 {
		return fault.New(fault.Unauthenticated, "the key is not valid")
	}
	if !k.Expires.IsZero() && !now.Before(k.Expires) {
		return fault.New(fault.Unauthenticated, "the key expired at %s; create a new one", k.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// Caller is an authenticated back end.
type Caller struct {
	KeyID       string
	Tenant      tenant.ID
	Permissions []string
}

// Require checks one permission. It returns fault.Forbidden that names it.
func (c Caller) Require(permission string) error {
	if slices.Contains(c.Permissions, "*") || slices.Contains(c.Permissions, permission) {
		return nil
	}
	return fault.New(fault.Forbidden, "this API key lacks the permission %q", permission).With("permission", permission)
}

// MayTouch checks that a key limited to one tenant stays there. It returns fault.Forbidden.
func (c Caller) MayTouch(t tenant.ID) error {
	if c.Tenant == tenant.Deployment || c.Tenant == t {
		return nil
	}
	return fault.New(fault.Forbidden, "this API key is limited to another tenant")
}
