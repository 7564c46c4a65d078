package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/fault"
)

const (
	// late is how long something may be due: the sweep runs each minute, and a message is worked off within another few.
	late = 5 * time.Minute
	// skew is how far clocks may differ: assertions and SigV4 requests stop working at five minutes.
	skew = 30 * time.Second
)

// deployment is what the checks look at.
type deployment struct {
	api    *client.Client
	hasKey bool
	clock  *dated
}

// dated notes what time the other side said it is.
type dated struct {
	next http.RoundTripper
	off  atomic.Pointer[time.Duration]
}

func (d *dated) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		off := time.Since(at)
		d.off.Store(&off)
	}
	return res, nil
}

func (d deployment) answers(ctx context.Context) finding {
	f := finding{Check: "deployment", Result: resultOK}
	began := time.Now()
	if err := d.api.Health(ctx); err != nil {
		f.Result, f.Found = resultFailed, err.Error()
		f.Do = "check the address; behind it, look at the admin function's log and the alarms of the stage"
		return f
	}
	f.Found = fmt.Sprintf("answers in %s", time.Since(began).Round(time.Millisecond))
	return f
}

func (d deployment) clocks() finding {
	f := finding{Check: "clocks", Result: resultSkipped, Found: "the deployment sends no Date header"}
	off := d.clock.off.Load()
	if off == nil {
		return f
	}
	f.Result, f.Found = resultOK, "differ by less than "+skew.String()
	if off.Abs() > skew {
		f.Result, f.Found = resultWarning, "differ by "+off.Abs().Round(time.Second).String()
		f.Do = "set this machine's clock (NTP): assertions and AWS signatures stop working at five minutes"
	}
	return f
}

func (d deployment) signingKeys(ctx context.Context) finding {
	b, err := d.api.JWKS(ctx)
	var set struct{ Keys []json.RawMessage }
	if err == nil {
		err = json.Unmarshal(b, &set)
	}
	switch {
	case err != nil:
		return finding{"signing keys", resultFailed, err.Error(), "look at the admin function's log: it reads the public keys from KMS"}
	case len(set.Keys) == 0:
		return finding{"signing keys", resultFailed, "the key set is empty", "no session can be made; check the signing key of the stage in KMS"}
	}
	return finding{Check: "signing keys", Result: resultOK, Found: fmt.Sprintf("%d published", len(set.Keys))}
}

// surface compares the deployment's API with the one that this command was built with.
func (d deployment) surface(ctx context.Context) finding {
	there, err := d.api.OpenAPI(ctx)
	if err != nil {
		return finding{"API", resultFailed, err.Error(), "look at the admin function's log"}
	}
	here, err := apigw.OpenAPI("")
	if err != nil || !sameDocument(there, here) {
		return finding{"API", resultWarning, "another version than this command's", "deploy the version that this command was built from, or use the command of that version"}
	}
	return finding{Check: "API", Result: resultOK, Found: "the same version as this command"}
}

// sameDocument tells whether two OpenAPI documents describe the same, wherever they are served.
func sameDocument(a, b []byte) bool {
	var docs [2]map[string]any
	for i, text := range [][]byte{a, b} {
		if json.Unmarshal(text, &docs[i]) != nil {
			return false
		}
		delete(docs[i], "servers")
	}
	return reflect.DeepEqual(docs[0], docs[1])
}

// refreshes looks at the longest overdue connection.
func (d deployment) refreshes(ctx context.Context) finding {
	const name = "refresh"
	page, err := d.api.Due(ctx, 0, client.Page{Limit: 1})
	if err != nil {
		return d.unseen(name, "connections:read, not limited to a tenant", err)
	}
	if len(page.Due) == 0 {
		return finding{Check: name, Result: resultOK, Found: "nothing is due"}
	}
	first := page.Due[0]
	since := time.Since(first.DueAt)
	if since <= late {
		return finding{Check: name, Result: resultOK, Found: "something is due, since " + since.Round(time.Second).String()}
	}
	return finding{name, resultFailed, fmt.Sprintf("%s of %s is due since %s", first.Connection.ID, first.Connection.Tenant, since.Round(time.Second)),
		"behalf connections --due; look at the sweep's schedule, the refresh queue and its dead letters"}
}

// failing looks for connections whose last refresh failed.
func (d deployment) failing(ctx context.Context) finding {
	const name, most = "failing refreshes", 1000
	looked, fails, connectors := 0, 0, map[string]bool{}
	for row, err := range d.api.AllDue(ctx, 15*time.Minute) {
		if err != nil {
			return d.unseen(name, "connections:read, not limited to a tenant", err)
		}
		if looked++; looked > most {
			break
		}
		if s := row.Connection.Refresh; s != nil && s.Fails > 0 {
			fails++
			connectors[row.Connection.Connector] = true
		}
	}
	if fails == 0 {
		return finding{Check: name, Result: resultOK, Found: "none"}
	}
	return finding{name, resultWarning, fmt.Sprintf("%d of the first %d that are due, at %s", fails, min(looked, most), strings.Join(slices.Sorted(maps.Keys(connectors)), ", ")), "behalf connections --due --failing shows each with its reason"}
}

func (d deployment) switches(ctx context.Context) finding {
	const name = "switches"
	s, err := d.api.DeploymentSwitches(ctx)
	if err != nil {
		return d.unseen(name, "policy:read", err)
	}
	var off []string
	if s.Tenant {
		off = append(off, "everything")
	}
	off = append(append(append(off, s.Agents...), s.Connectors...), s.Tools...)
	if len(off) == 0 {
		return finding{Check: name, Result: resultOK, Found: "nothing is switched off for the whole deployment"}
	}
	return finding{name, resultWarning, "off: " + strings.Join(off, ", "), "PUT /v1/switches with {} when the reason is gone"}
}

func (d deployment) webhooks(ctx context.Context) finding {
	const name = "webhooks"
	all, err := d.api.Webhooks(ctx, "")
	if err != nil {
		return d.unseen(name, "webhooks:read", err)
	}
	var bad []string
	for _, w := range all {
		if w.Status != "active" || !w.FailingSince.IsZero() {
			bad = append(bad, w.ID)
		}
	}
	if len(bad) == 0 {
		return finding{Check: name, Result: resultOK, Found: fmt.Sprintf("%d, none failing", len(all))}
	}
	return finding{name, resultWarning, "failing or disabled: " + strings.Join(bad, ", "), "GET /v1/webhooks/{webhook} shows the last deliveries; POST …/test tries once, and enables it again when that works"}
}

// unseen is a check that could not be made: for want of a right it is skipped, otherwise it failed.
func (d deployment) unseen(name, permission string, err error) finding {
	if !d.hasKey {
		return finding{name, resultSkipped, "BEHALF_API_KEY is not set", "set it to an API key with " + permission}
	}
	switch fault.From(err).Code {
	case fault.Forbidden:
		return finding{name, resultSkipped, "the API key may not see it", "use a key with " + permission}
	case fault.Unauthenticated:
		return finding{name, resultFailed, "the API key is not known", "POST /v1/api-keys makes one; behalf keys create the first"}
	}
	return finding{name, resultFailed, err.Error(), "look at the log of the admin function with the request id"}
}
