package catalog

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// hostParams is a base URL that fields of the connection complete: https://{subdomain}.zendesk.com. Whoever fills in the
// field chooses among the provider's hosts and never another: each value is held to a pattern that lets no character
// through which means anything in an address, here, at every use, whatever checked it before.
type hostParams struct {
	parts    text
	patterns map[string]*regexp.Regexp
	override bool
}

// hostile are characters that end a host name or begin something else, and the dot, which begins another label.
const hostile = "/#?@:.%\\ \t\n&=+,;_~[]()'\"<>|^`{}*!$"

func buildHostParams(s *source, field string, m manifest, spec hostSpec) *hostParams {
	h := &hostParams{patterns: map[string]*regexp.Regexp{}}
	h.parse(s, field+".url", spec.URL)
	for _, p := range h.parts {
		if p.name == "" {
			continue
		}
		pattern, ok := spec.Params[p.name]
		if !ok {
			s.add(field+".params", "{%s} has no pattern", p.name)
			continue
		}
		f, ok := m.field(p.name)
		if !ok || f.Secret || !f.Required || f.Kind != FieldText {
			s.add(field+".params."+p.name, "must be a required field of kind text that is not secret")
		}
		h.patterns[p.name] = hostPattern(s, field+".params."+p.name, pattern)
	}
	for name := range spec.Params {
		if h.patterns[name] == nil {
			s.add(field+".params."+name, "is not in url")
		}
	}
	sample, _ := h.parts.expand(func(string) (string, bool) { return "x", true })
	if _, err := baseURL(sample, false); err != nil {
		s.add(field+".url", "with a value in it: %v", err)
	}
	return h
}

func (h *hostParams) parse(s *source, field, value string) {
	t, err := parseText(value)
	if err != nil {
		s.add(field, "%v", err)
	}
	h.parts = t
}

// hostPattern compiles a pattern and refuses one that lets a hostile character through: alone, or between letters.
func hostPattern(s *source, field, pattern string) *regexp.Regexp {
	re, err := regexp.Compile(pattern)
	if err != nil || !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") {
		s.add(field, "%q: want a pattern ^…$", pattern)
		return regexp.MustCompile(`^\b$`) // matches nothing
	}
	for _, c := range hostile {
		for _, probe := range []string{string(c), "a" + string(c), "a" + string(c) + "a", "a" + string(c) + "com", string(c) + "a", "abc" + string(c) + "def"} {
			if re.MatchString(probe) {
				s.add(field, "%q lets %q through, which could name another host", pattern, c)
				return re
			}
		}
	}
	return re
}

// at is h with another URL, for a local stack: http://127.0.0.1:8788/zendesk/{subdomain}.
func (h *hostParams) at(s *source, field, value string) *hostParams {
	out := &hostParams{patterns: h.patterns, override: true}
	out.parse(s, field, value)
	sample, _ := out.parts.expand(func(string) (string, bool) { return "x", true })
	if _, err := baseURL(sample, true); err != nil {
		s.add(field, "override %v", err)
	}
	for _, name := range out.parts.names() {
		if h.patterns[name] == nil {
			s.add(field, "override: {%s} is not a parameter of this host", name)
		}
	}
	return out
}

func (h *hostParams) resolve(connector string, meta map[string]string) (*url.URL, error) {
	var bad string
	text, missing := h.parts.expand(func(name string) (string, bool) {
		v := meta[name]
		if v != "" && (!h.patterns[name].MatchString(v) || strings.ContainsAny(v, hostile)) {
			bad = name
			return "", false
		}
		return strings.ToLower(v), v != ""
	})
	if bad != "" {
		return nil, fault.New(fault.ProviderError, "%s: %s is not one that this connector may call", connector, bad)
	}
	if missing != "" {
		return nil, fault.New(fault.ProviderError, "%s: the connection holds no %s, so its host is not known; connect the account again", connector, missing)
	}
	u, err := baseURL(text, h.override)
	if err != nil {
		return nil, fault.New(fault.ProviderError, "%s: its address cannot be built", connector).WithCause(fmt.Errorf("host parameters: %w", err))
	}
	return u, nil
}
