package mcpauth

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/singleflight"

	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
)

// Client is what a client says of itself in its metadata document.
type Client struct {
	ID string
	// Name is the client's own word, of 1 to 80 visible characters; only ID's host is proven.
	Name      string
	Redirects []string
	// Refresh tells that the client wants refresh tokens.
	Refresh bool
}

// Limits of fetching. MaxDocument is in bytes; the draft suggests 5 KB (client id metadata documents, section 6.6).
const (
	MaxDocument    = 5 << 10
	fetchTime      = 3 * time.Second
	keepLeast      = time.Minute
	keepMost       = time.Hour
	keepFailure    = 30 * time.Second
	maxKept        = 256
	maxFetches     = 8
	maxRedirectURI = 20
	maxName        = 80
)

// Clients finds clients by their ids (draft-ietf-oauth-client-id-metadata-document), and keeps what it found, refusals included: a stranger
// can make us fetch one address twice a minute and no more. It is safe for concurrent use.
type Clients struct {
	out   *egress.Client
	local bool
	now   func() time.Time

	flight singleflight.Group
	slots  chan struct{}
	mu     sync.Mutex
	kept   map[string]found
}

type found struct {
	client Client
	err    error
	until  time.Time
}

// NewClients returns Clients that fetch with out, whose answers should be limited to MaxDocument. local lets ids be http on this machine.
func NewClients(out *egress.Client, local bool, now func() time.Time) *Clients {
	return &Clients{out: out, local: local, now: now, slots: make(chan struct{}, maxFetches), kept: map[string]found{}}
}

// CheckClientID refuses what is no client id: an https URL with a path, in plain lower-case ASCII host name, without query, fragment, user
// or dot segments (section 3 of the draft). local also takes http to this machine.
func CheckClientID(id string, local bool) error {
	wrong := bad("invalid_client", "client_id must be the https URL of a client metadata document, of at most %d characters", maxClientID)
	u, err := url.Parse(id)
	if err != nil || len(id) > maxClientID || !printable(id) || strings.ContainsAny(id, "#?\\ %") || u.User != nil || u.Host != strings.ToLower(u.Host) || len(u.Path) < 2 {
		return wrong
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if segment == "." || segment == ".." {
			return wrong
		}
	}
	if local && u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); u.Scheme != "https" || err == nil || !strings.Contains(u.Hostname(), ".") || u.String() != id {
		return wrong
	}
	return nil
}

// Find returns the client behind an id: fault.InvalidInput when there is none, fault.RateLimited when too many are looked for.
func (c *Clients) Find(ctx context.Context, id string) (Client, error) {
	if err := CheckClientID(id, c.local); err != nil {
		return Client{}, err
	}
	if f, ok := c.known(id); ok {
		return f.client, f.err
	}
	got, _, _ := c.flight.Do(id, func() (any, error) {
		if f, ok := c.known(id); ok {
			return f, nil
		}
		select {
		case c.slots <- struct{}{}:
			defer func() { <-c.slots }()
		default:
			return found{err: fault.New(fault.RateLimited, "too many clients are being looked up; try again").WithRetryAfter(5 * time.Second)}, nil
		}
		f := c.fetch(context.WithoutCancel(ctx), id)
		c.keep(id, f)
		return f, nil
	})
	f := got.(found)
	return f.client, f.err
}

func (c *Clients) known(id string) (found, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.kept[id]
	return f, ok && c.now().Before(f.until)
}

// keep stores what was found; a full store is emptied, so that no flood of ids grows it.
func (c *Clients) keep(id string, f found) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxKept {
		clear(c.kept)
	}
	c.kept[id] = f
}

// fetch reads a client's document. What came instead of one is told to nobody: the address may be one that the asker cannot reach.
func (c *Clients) fetch(ctx context.Context, id string) found {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	fail := func(err error) found {
		return found{err: bad("invalid_client", "the client metadata document at client_id cannot be used; its owner can check that it is JSON of at most %d bytes, names this very URL as client_id, and is answered with 200", MaxDocument).WithCause(err), until: c.now().Add(keepFailure)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := c.out.Do(req)
	if err != nil {
		return fail(err)
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.Status != http.StatusOK || len(res.Body) > MaxDocument || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return fail(fault.New(fault.ProviderError, "status %d, %d bytes of %.60q", res.Status, len(res.Body), media))
	}
	client, err := readDocument(id, res.Body)
	if err != nil {
		return fail(err)
	}
	return found{client: client, until: c.now().Add(freshness(res.Header.Get("Cache-Control")))}
}

// document is the part of RFC 7591's client metadata that we go by.
type document struct {
	ID        string          `json:"client_id"`
	Name      string          `json:"client_name"`
	Redirects []string        `json:"redirect_uris"`
	Method    *string         `json:"token_endpoint_auth_method"`
	Grants    []string        `json:"grant_types"`
	Types     []string        `json:"response_types"`
	Secret    json.RawMessage `json:"client_secret"`
}

func readDocument(id string, body []byte) (Client, error) {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return Client{}, err
	}
	name := Visible(d.Name)
	switch {
	case d.ID != id:
		return Client{}, fault.New(fault.InvalidInput, "it names another client_id")
	case name == "":
		return Client{}, fault.New(fault.InvalidInput, "it has no client_name")
	case len(d.Redirects) == 0 || len(d.Redirects) > maxRedirectURI:
		return Client{}, fault.New(fault.InvalidInput, "it has %d redirect_uris", len(d.Redirects))
	case len(d.Secret) > 0 || d.Method != nil && *d.Method != "none":
		return Client{}, fault.New(fault.InvalidInput, "it asks for client authentication, and only public clients are known here")
	case len(d.Grants) > 0 && !has(d.Grants, "authorization_code") || len(d.Types) > 0 && !has(d.Types, "code"):
		return Client{}, fault.New(fault.InvalidInput, "it does not use authorization codes")
	}
	for _, r := range d.Redirects {
		if err := CheckRedirectURI(r); err != nil {
			return Client{}, err
		}
	}
	return Client{ID: id, Name: name, Redirects: d.Redirects, Refresh: len(d.Grants) == 0 || has(d.Grants, "refresh_token")}, nil
}

func has(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// Visible is a stranger's text as it may be shown: at most 80 characters, one line, nothing that turns its direction or hides.
func Visible(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	runes := []rune(strings.Join(strings.Fields(s), " "))
	return string(runes[:min(len(runes), maxName)])
}

// freshness is how long a document is kept: what its owner says, between a minute and an hour.
func freshness(cacheControl string) time.Duration {
	for _, d := range strings.Split(cacheControl, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return keepLeast
		case "max-age":
			if n, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && n >= 0 {
				return min(max(time.Duration(min(n, 86400))*time.Second, keepLeast), keepMost)
			}
		}
	}
	return 10 * time.Minute
}
