package approval

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// LinkTTL is how long a link to an approval works.
const LinkTTL = 15 * time.Minute

// Link lets the browser of one approver decide about one request, once. It is stored under the hash of its token.
type Link struct {
	tenant.Scope
	// Hash is the hex SHA-256 of the token in the URL.
	Hash string
	// Approval and Asked name the request; another request for the same call is not this link's.
	Approval string
	Asked    time.Time
	Approver string
	// By is the API key that made it.
	By string
	// Cookie is the hex SHA-256 of the cookie of the browser that opened it; empty before.
	Cookie string
	// Used tells that the approver answered.
	Used             bool
	Created, Expires time.Time
	// Version is the store's, for conditional writes.
	Version uint64
}

// Links keeps links. Both methods are for one tenant's credentials.
type Links interface {
	// ApprovalLink reads strongly by the token's hash; fault.NotFound.
	ApprovalLink(ctx context.Context, t tenant.ID, hash string) (Link, error)
	// PutApprovalLink writes l if the stored version is l's (0: none stored); fault.Conflict otherwise.
	PutApprovalLink(ctx context.Context, l Link) (Link, error)
}

// CreateLink makes a link for approver to a pending approval, and returns its URL.
func (d *Desk) CreateLink(ctx context.Context, s tenant.Scope, id, approver, by string) (url string, l Link, err error) {
	a, err := d.pending(ctx, s, id)
	if err != nil {
		return "", l, err
	}
	now := d.Now()
	if err := open(a, now); err != nil {
		return "", l, err
	}
	token := s.Tenant.Tag() + "." + d.NewSecret()
	l = Link{Scope: s, Hash: digest(token), Approval: a.ID, Asked: a.Asked, Approver: approver, By: by, Created: now, Expires: now.Add(LinkTTL)}
	if l, err = d.Links.PutApprovalLink(ctx, l); err != nil {
		return "", l, err
	}
	return d.PublicURL + "/approve/" + token, l, nil
}

// open returns fault.Conflict when a is not waiting for an answer.
func open(a toolcall.Approval, now time.Time) error {
	_, err := a.Decide(false, "", "", now)
	return err
}

// TenantOf reads the tenant out of a link's token, to know under whose credentials to look for it. It returns
// fault.NotFound: whoever presents something else has no link.
func TenantOf(token string) (tenant.ID, error) {
	t, rest, ok := strings.Cut(token, ".")
	id, err := tenant.Parse("", t)
	if !ok || err != nil || len(rest) < 20 || len(rest) > 64 {
		return "", noLink()
	}
	return id, nil
}

func noLink() error {
	return fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one").With("reason", "link_expired")
}

// Find reads the link behind a token. It uses nothing up. fault.NotFound when there is none or it is too late.
func (d *Desk) Find(ctx context.Context, token string) (Link, error) {
	t, err := TenantOf(token)
	if err != nil {
		return Link{}, err
	}
	l, err := d.Links.ApprovalLink(ctx, t, digest(token))
	if fault.Is(err, fault.NotFound) || err == nil && !d.Now().Before(l.Expires) {
		return Link{}, noLink()
	}
	return l, err
}

// Show reads what a link is about. It returns fault.Conflict when that was decided, by whatever way, or asked for anew.
func (d *Desk) Show(ctx context.Context, l Link) (toolcall.Approval, error) {
	if l.Used {
		return toolcall.Approval{}, fault.New(fault.Conflict, "this link was already used").With("reason", "link_used")
	}
	a, err := d.pending(ctx, l.Scope, l.Approval)
	if err != nil {
		return a, err
	}
	if !a.Asked.Equal(l.Asked) {
		return a, fault.New(fault.Conflict, "this request is over, and the agent asked anew; ask for a new link").With("reason", "asked_again")
	}
	return a, open(a, d.Now())
}

// Mine reports that cookie is of the browser that opened l.
func (l Link) Mine(cookie string) bool {
	return l.Cookie != "" && subtle.ConstantTimeCompare([]byte(l.Cookie), []byte(digest(cookie))) == 1
}

// Open binds l to one browser and returns the cookie to set; opening again in the same browser keeps it. Another browser
// gets fault.Conflict.
func (d *Desk) Open(ctx context.Context, l Link, cookie string) (string, error) {
	if l.Mine(cookie) {
		return cookie, nil
	}
	if l.Cookie != "" {
		return "", otherBrowser()
	}
	cookie = d.NewSecret()
	l.Cookie = digest(cookie)
	if _, err := d.Links.PutApprovalLink(ctx, l); fault.Is(err, fault.Conflict) {
		return "", otherBrowser()
	} else if err != nil {
		return "", err
	}
	return cookie, nil
}

func otherBrowser() error {
	return fault.New(fault.Conflict, "this link was opened in another browser; decide there, or ask for a new link").With("reason", "other_browser")
}

// FormToken is what the page's forms carry: nobody can make it who has not both the link and its cookie.
func FormToken(token, cookie string) string { return digest("form " + token + " " + cookie) }

// Answer is the approver's answer through a link. token is the link's, cookie and form what the browser sent.
func (d *Desk) Answer(ctx context.Context, l Link, token, cookie, form string, approve bool, note string) (toolcall.Approval, error) {
	if !l.Mine(cookie) {
		return toolcall.Approval{}, otherBrowser()
	}
	if subtle.ConstantTimeCompare([]byte(form), []byte(FormToken(token, cookie))) != 1 {
		return toolcall.Approval{}, fault.New(fault.Forbidden, "this answer does not come from our page; open the link again").With("reason", "cross_site")
	}
	if l.Used {
		return toolcall.Approval{}, fault.New(fault.Conflict, "this link was already used").With("reason", "link_used")
	}
	a, err := d.Decide(ctx, l.Scope, l.Approval, Decision{Approve: approve, Approver: l.Approver, Note: note, Asked: l.Asked, By: "approval_link"})
	if err != nil {
		return a, err
	}
	// The decision has used the request up, so this link can decide nothing any more; the mark is for those who come back.
	l.Used = true
	if _, err := d.Links.PutApprovalLink(ctx, l); err != nil {
		d.Log.ErrorContext(ctx, "approval link not marked as used", "approval", l.Approval, "error", err)
	}
	return a, nil
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
