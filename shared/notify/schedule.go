package notify

import (
	"net/http"
	"strconv"
	"time"
)

// MaxWait is the longest that a message is put off at once: SQS hides one for at most twelve hours after it was received.
const MaxWait = 11*time.Hour + 50*time.Minute

// DisableAfter is how long every try at an endpoint must have failed before it is disabled.
const DisableAfter = 5 * 24 * time.Hour

// Overlap is how long a replaced secret goes on to sign beside the new one.
const Overlap = 24 * time.Hour

// Timeout is how long a receiver may take to answer.
const Timeout = 10 * time.Second

// Delays are the waits after each failed try: twelve tries within three days.
func Delays() []time.Duration {
	return []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
		11 * time.Hour, 11 * time.Hour, 11 * time.Hour, 11 * time.Hour, 11 * time.Hour}
}

// slack keeps a try that ran a moment early from counting as one before its time.
const slack = 2 * time.Second

// wait is how long after a failed try the next one is due, and whether there is one. The times are fixed distances from the first
// try: counting receipts instead would take each failure of our own for one of the receiver. jitter is in [0,1); asked is what the
// receiver asked for, or 0.
func wait(elapsed, asked time.Duration, jitter float64) (time.Duration, bool) {
	var at time.Duration
	for _, d := range Delays() {
		if at += d; at > elapsed+slack {
			spread := time.Duration(float64(d) * 0.1 * jitter)
			return min(max(at-elapsed+spread, asked), MaxWait), true
		}
	}
	return 0, false
}

// retryAfter reads the header of a 429 or 503 (RFC 9110, section 10.2.3): seconds, or a date.
func retryAfter(res *http.Response, now time.Time) time.Duration {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	v := res.Header.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
