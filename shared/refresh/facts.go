package refresh

import (
	"maps"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
)

// ByExecute is RefreshRequest.By of a call that needs the token now: the sign that somebody uses the connection.
const ByExecute = "execute"

// hotFor is how long after its last known use a connection is refreshed ahead of time.
const hotFor = 24 * time.Hour

// keepIdle is how often an idle connection is refreshed where the connector states no limit of the provider.
const keepIdle = 7 * 24 * time.Hour

// due is when the sweep should look at x again, after a refresh at now. A connection in use is refreshed before its token
// ends. One that nobody was seen to use for a day is left until its first use, or until the refresh token would lapse.
func due(x connection.Connection, spec *catalog.Connector, now time.Time, jitter float64) time.Time {
	keep := time.Duration(spec.Rotation.KeepAliveSeconds) * time.Second
	ahead := connection.DueAt(now, x.ExpiresAt, keep, jitter)
	if x.ExpiresAt.IsZero() || ahead.Before(x.Refresh.UsedAt.Add(hotFor)) {
		return ahead
	}
	if keep == 0 {
		keep = keepIdle
	}
	if left := x.RefreshExpiresAt.Sub(now); left > 0 {
		keep = min(keep, left*8/10)
	}
	idle := now.Add(keep - time.Duration(jitter*float64(keep)/10))
	if idle.Before(ahead) {
		return ahead
	}
	return idle
}

// swapped says why tokens are not the connection's any more, or "": they are another account's, or for another host or site. The
// connector says which captured values identify the account; what either side does not state is not compared.
func swapped(j job, f connection.TokenFacts) string {
	if id, err := j.spec.ParseIdentity(nil, f.Metadata); err == nil && id.AccountID != "" && j.conn.Account.ID != "" && id.AccountID != j.conn.Account.ID {
		return ReasonAccountChanged
	}
	if !j.spec.SameAccount(j.conn.Metadata, f.Metadata) {
		return ReasonAccountChanged
	}
	merged := map[string]string{}
	maps.Copy(merged, j.conn.Metadata)
	maps.Copy(merged, f.Metadata)
	before, err := j.spec.ProxyURL("/", nil, j.conn.Metadata)
	if err != nil { // nothing to compare with
		return ""
	}
	if after, err := j.spec.ProxyURL("/", nil, merged); err != nil || after.Host != before.Host || after.EscapedPath() != before.EscapedPath() {
		return ReasonInstanceChanged
	}
	return ""
}

// narrower reports that before grants something that after does not.
func narrower(spec *catalog.Connector, before, after []string) bool {
	have := map[string]bool{}
	for todo := after; len(todo) > 0; todo = todo[1:] {
		if s := todo[0]; !have[s] {
			have[s] = true
			todo = append(todo[:len(todo):len(todo)], spec.Scopes.Known[s].Implies...)
		}
	}
	for _, s := range before {
		if !have[s] {
			return true
		}
	}
	return false
}
