package catalog

import (
	"net/url"
	"regexp"
	"slices"

	"behalf.dev/behalf/shared/fault"
)

// CallbackParams are the names of the query parameters that CallbackMetadata and SetupAnswer read, sorted.
func (c *Connector) CallbackParams() []string {
	var out []string
	for _, capture := range c.m.Callback.Capture {
		out = append(out, capture.Param)
	}
	if s := c.m.Callback.Setup; s != nil {
		out = append(out, s.Param)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// CallbackMetadata is what the manifest captures from the provider's answer to the browser. Every value has met its pattern, and
// one that names a host is in that host's list. It proves nothing more: the requests after the exchange do. Values that are
// not there are left out; with whole set, one that is required and missing is fault.InvalidInput.
func (c *Connector) CallbackMetadata(q url.Values, have map[string]string, whole bool) (map[string]string, error) {
	out := map[string]string{}
	for name, capture := range c.m.Callback.Capture {
		v := q.Get(capture.Param)
		if v == "" {
			if whole && capture.Required && have[name] == "" {
				return nil, fault.Invalid(capture.Param, "%s did not say %s in its answer; start again from your application", c.Name, capture.Param).With("reason", "answer_incomplete")
			}
			continue
		}
		if len(v) > maxMetadata || !c.captures[name].MatchString(v) {
			return nil, fault.Invalid(capture.Param, "the answer's %s is not one that %s sends; start again from your application", capture.Param, c.Name).With("reason", "answer_refused")
		}
		out[name] = v
	}
	for _, h := range c.hosts {
		if _, mine := c.m.Callback.Capture[h.capture]; !mine || out[h.capture] == "" {
			continue
		}
		if _, err := h.resolve(out); err != nil {
			return nil, fault.Invalid(c.m.Callback.Capture[h.capture].Param, "the answer names a host that is not one of %s's; nothing was sent there", c.Name).With("reason", "answer_refused").WithCause(err)
		}
	}
	return out, nil
}

// SetupURL is the page where an app is installed before anybody is asked for consent, with state in it; empty when there is none.
func (c *Connector) SetupURL(meta map[string]string, state string) (string, error) {
	if c.m.Callback.Setup == nil {
		return "", nil
	}
	u, err := c.url("setup", meta, meta)
	if err != nil {
		return "", err
	}
	u.RawQuery = url.Values{"state": {state}}.Encode()
	return u.String(), nil
}

// Installed is what a connection with the metadata meta knows of a setup page's answer; nil without such a page, or when it knows
// nothing. It is proved again like any answer.
func (c *Connector) Installed(meta map[string]string) map[string]string {
	if c.m.Callback.Setup == nil {
		return nil
	}
	var out map[string]string
	for name := range c.m.Callback.Capture {
		if v := meta[name]; v != "" {
			out = Place{Meta: map[string]string{name: v}}.Merge(out)
		}
	}
	return out
}

// SetupOutcome is what a setup page answers.
type SetupOutcome string

// The outcomes of a setup page: go on to consent; somebody else has to approve first; anything else.
const (
	SetupDone    SetupOutcome = "done"
	SetupPending SetupOutcome = "pending"
	SetupUnknown SetupOutcome = "unknown"
)

// SetupAnswer reads the answer of the setup page.
func (c *Connector) SetupAnswer(q url.Values) SetupOutcome {
	s := c.m.Callback.Setup
	switch {
	case s == nil:
	case slices.Contains(s.Done, q.Get(s.Param)):
		return SetupDone
	case slices.Contains(s.Pending, q.Get(s.Param)):
		return SetupPending
	}
	return SetupUnknown
}

// buildCaptures compiles the patterns of callback.capture; one that does not compile was reported by its check.
func buildCaptures(m manifest) map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	for name, capture := range m.Callback.Capture {
		rx, err := regexp.Compile(capture.Pattern)
		if err != nil {
			rx = regexp.MustCompile(`^\b$`) // matches nothing
		}
		out[name] = rx
	}
	return out
}
