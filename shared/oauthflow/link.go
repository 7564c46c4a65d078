package oauthflow

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// How long things live.
const (
	LinkTTL = 15 * time.Minute
	ParkTTL = 5 * time.Minute
)

// LinkStatus is where a link stands.
type LinkStatus string

// The statuses of a link. All but the first five are ends.
const (
	LinkOpen       LinkStatus = "open"
	LinkStarted    LinkStatus = "started"
	LinkConsented  LinkStatus = "consented"  // the code is parked, waiting for Confirm
	LinkConfirming LinkStatus = "confirming" // the code is being redeemed
	LinkChoosing   LinkStatus = "choosing"   // the code was redeemed; the person has to choose what the connection is for
	LinkConfirmed  LinkStatus = "confirmed"
	LinkDenied     LinkStatus = "denied"
	LinkMismatch   LinkStatus = "user_mismatch"
	LinkFailed     LinkStatus = "failed"
)

// redeemTTL is longer than redeeming can take: a link that is still confirming then was left by a process that died.
const redeemTTL = time.Minute

// Standing is l as its back end should see it: a redemption that nobody finished has failed, and its code is spent.
func (l Link) Standing(now time.Time) Link {
	if l.Status == LinkChoosing && !now.Before(l.ParkedUntil) {
		l.Status, l.Reason = LinkFailed, "not_chosen"
	}
	if l.Status == LinkConfirming && now.After(l.ParkedUntil.Add(redeemTTL)) {
		l.Status, l.Reason = LinkFailed, "interrupted"
	}
	return l
}

// Link is one attempt to connect an account.
type Link struct {
	// ID is for the back end: "cl_<tenant>.<secret>".
	ID string
	tenant.Scope
	Connector  string
	Connection connection.ID
	// Reconnect tells that the connection existed before; its account must stay the same.
	Reconnect bool
	// Change is what a reconnect was asked to change.
	Change    Change
	Scopes    []string
	ReturnURL string
	// Params are fields of the connector that were known when the link was made; Typed are those that the person filled in
	// before going to the provider. Neither holds a secret.
	Params, Typed map[string]string
	// Captured are values from the provider's answers to the browser: claims, until they are proved. Setup tells that the answer
	// that is waited for is that of a setup page.
	Captured map[string]string `json:",omitempty"`
	Setup    bool              `json:",omitempty"`
	// Choice is what the person has to choose before the connection is active, in the browser that Browser is the hash of.
	Choice  *Choice `json:",omitempty"`
	Browser string  `json:",omitempty"`
	Status  LinkStatus
	Reason  string

	ClientOwner tenant.ID
	ClientID    string
	// CookieHash binds the flow to the browser that started it; StateHash is the state that the provider must return.
	CookieHash, StateHash string
	Nonce                 string
	// Verifier is the sealed PKCE verifier, Code the sealed authorization code, or the form that was filled in.
	Verifier, Code []byte

	Created, Expires, ParkedUntil time.Time
	// Version is the store's, for conditional writes.
	Version uint64
}

// Links keeps links. All methods are for one tenant's credentials.
type Links interface {
	// CreateLink stores l under its id and under the hash of its public token; fault.Conflict if either exists.
	CreateLink(ctx context.Context, l Link, tokenHash string) error
	// Link reads strongly by id; fault.NotFound.
	Link(ctx context.Context, t tenant.ID, id string) (Link, error)
	// UpdateLink writes l if the stored version is l's; fault.Conflict otherwise. It returns l with the new version.
	UpdateLink(ctx context.Context, l Link) (Link, error)
}

// LinkLookup finds links by what a browser carries.
type LinkLookup interface {
	// LinkIDByHash returns the link id behind a public token or a state; fault.NotFound.
	LinkIDByHash(ctx context.Context, t tenant.ID, hash string) (string, error)
	// PutLinkHash lets hash find the link until expires.
	PutLinkHash(ctx context.Context, t tenant.ID, hash, id string, expires time.Time) error
}

// secretOf makes "<tenant>.<secret>": whoever reads it back knows in which partition to look, and nothing is looked up
// across tenants.
func (f *Flow) secretOf(t tenant.ID) string { return t.Tag() + "." + f.NewSecret() }

// TenantOf reads the tenant out of a link token, a link id or a state. It returns fault.NotFound: whoever presents
// something else has no link.
func TenantOf(s string) (tenant.ID, error) {
	t, rest, ok := strings.Cut(strings.TrimPrefix(s, "cl_"), ".")
	id, err := tenant.Parse("", t)
	if !ok || err != nil || len(rest) < 20 || len(rest) > 64 {
		return "", notFound()
	}
	return id, nil
}

func notFound() *fault.Error {
	return fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one")
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func sameHash(hash, s string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(digest(s))) == 1
}

// mark names the link in the grant that it led to; an import has none.
func (l Link) mark() string {
	if l.ID == "" {
		return ""
	}
	return digest(l.ID)[:16]
}

// live returns nil while l can still be used in one of the given statuses.
func (l Link) live(now time.Time, in ...LinkStatus) error {
	if !now.Before(l.Expires) {
		return fault.New(fault.NotFound, "this link expired at %s; ask for a new one", l.Expires.UTC().Format(time.RFC3339)).With("reason", "link_expired")
	}
	for _, s := range in {
		if l.Status == s {
			return nil
		}
	}
	return fault.New(fault.Conflict, "this link was already used (%s); ask for a new one", l.Status).With("reason", "link_used").With("link_status", string(l.Status))
}

// CheckReturnURL accepts an absolute https URL without credentials and fragment; plain http only for loopback, where
// developers are. The error is about field.
func CheckReturnURL(field, s string) error {
	if s == "" {
		return fault.Invalid(field, "%s is missing: the page of your product that confirms the connection", strings.TrimPrefix(field, "/"))
	}
	if len(s) > maxReturnURL {
		return fault.Invalid(field, "a return URL has at most %d bytes", maxReturnURL)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || strings.Contains(u.Host, "%") || !portOK(u.Port()) || u.User != nil || strings.Contains(s, "#") || !plainURL(s):
		return fault.Invalid(field, "a return URL is an absolute URL of plain ASCII, without credentials and fragment")
	case u.Scheme == "https":
	case u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"):
	default:
		return fault.Invalid(field, "a return URL must be https (http only for localhost)")
	}
	return nil
}

// portOK is true of no port and of one that exists; Go's parser takes any number.
func portOK(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// maxReturnURL keeps the Location header, and the row, within reason.
const maxReturnURL = 2048

// plainURL keeps out what browsers and Go's parser read differently: backslashes, white space, control characters, and
// letters outside ASCII, which look like others in a host (send them percent-encoded, hosts in Punycode).
func plainURL(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte("\\\"<>^`{|}", s[i]) >= 0 {
			return false
		}
	}
	return true
}

// CheckListedURL is CheckReturnURL, and allowed, if not empty, lists the only URLs accepted, compared exactly.
func CheckListedURL(field, s string, allowed []string) error {
	if err := CheckReturnURL(field, s); err != nil {
		return err
	}
	if len(allowed) == 0 || slices.Contains(allowed, s) {
		return nil
	}
	return fault.Invalid(field, "return_url is not among the return URLs of this tenant; they are compared exactly")
}

// back is the return URL with what the SaaS needs to confirm.
func (l Link) back() string {
	u, err := url.Parse(l.ReturnURL)
	if err != nil { // it was checked when the link was made
		return l.ReturnURL
	}
	q := u.Query()
	q.Set("connect_link", l.ID)
	q.Set("status", string(l.Status))
	u.RawQuery = q.Encode()
	return u.String()
}
