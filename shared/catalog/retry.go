package catalog

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a provider can ask for: a wait longer than a day is an error in a header.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads Retry-After (RFC 9110, section 10.2.3) or else the connector's reset header. Absolute times are
// taken relative to the answer's own Date header, so our clock and its skew do not matter.
func retryAfter(h http.Header, reset *resetSpec) time.Duration {
	if v := h.Get("Retry-After"); v != "" {
		if n, err := strconv.Atoi(v); err == nil {
			return bounded(time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second)
		}
		if at, err := http.ParseTime(v); err == nil {
			return bounded(sinceDate(h, at))
		}
	}
	if reset == nil {
		return 0
	}
	return bounded(reset.wait(h))
}

func (r *resetSpec) wait(h http.Header) time.Duration {
	text := h.Get(r.Header)
	switch r.Unit {
	case unitHTTPDate:
		if at, err := http.ParseTime(text); err == nil {
			return sinceDate(h, at)
		}
		return 0
	case unitRFC3339:
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return sinceDate(h, at)
		}
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0 || n > 1<<53:
		return 0
	case r.Unit == unitSeconds:
		return time.Duration(min(n, int64(maxRetryAfter/time.Second))) * time.Second
	case r.Unit == unitEpochMillis:
		return sinceDate(h, time.UnixMilli(n))
	}
	return sinceDate(h, time.Unix(n, 0))
}

const (
	unitSeconds     = "seconds"
	unitEpoch       = "epoch_seconds"
	unitEpochMillis = "epoch_milliseconds"
	unitHTTPDate    = "http_date"
	unitRFC3339     = "rfc3339"
)

func sinceDate(h http.Header, at time.Time) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return at.Sub(date)
}

func bounded(d time.Duration) time.Duration { return max(0, min(d, maxRetryAfter)) }
