package catalog

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// Hosts replaces base URLs by connector id and host name, for a local stack: {"github": {"api":
// "http://127.0.0.1:8788/github/api"}}. It is configuration of the deployment, never input of a caller. Plain http is
// accepted for loopback addresses only.
type Hosts map[string]map[string]string

// host is one named host of a connector after overrides.
type host struct {
	connector, name string
	base            *url.URL // fixed
	params          *hostParams
	capture         string   // name of the connection metadata that holds the base URL, or of the field that holds the host
	field           bool     // capture is a field
	allow           []string // patterns for a captured host
	initial         string   // the value while none was captured
	under           *url.URL // override of a captured host: values lie below it
}

// resolve gives the base URL. A captured one is checked at every use: what was stored may predate today's allow list,
// and this host receives the access token.
func (h host) resolve(meta map[string]string) (*url.URL, error) {
	if h.base != nil {
		u := *h.base
		return &u, nil
	}
	if h.params != nil {
		return h.params.resolve(h.connector, meta)
	}
	value := cmp.Or(meta[h.capture], h.initial)
	if value == "" {
		return nil, fault.New(fault.ProviderError, "%s: the connection holds no %s, so its host is not known; connect the account again", h.connector, h.capture)
	}
	if h.field && h.under == nil {
		value = "https://" + strings.TrimPrefix(value, "https://")
	}
	check := h.allowed
	if h.under != nil {
		check = h.below
	}
	u, err := check(value)
	if err != nil {
		return nil, fault.New(fault.ProviderError, "%s: %s is not an address that this connector may call", h.connector, h.capture).WithCause(err)
	}
	return u, nil
}

// allowed accepts https://host and nothing else, the host by suffix on a label boundary.
func (h host) allowed(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https" || u.Opaque != "" || u.User != nil || u.Port() != "" || strings.HasSuffix(u.Host, ":"):
		return nil, fmt.Errorf("%q: want https without user information or port", value)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(value, "#") || (u.Path != "" && u.Path != "/"):
		return nil, fmt.Errorf("%q: want a host without path, query or fragment", value)
	}
	name := strings.ToLower(u.Host)
	if !hostname.MatchString(name) || len(name) > 253 {
		return nil, fmt.Errorf("%q: not a host name", value)
	}
	for _, pattern := range h.allow {
		if pattern == anyHost {
			return &url.URL{Scheme: "https", Host: name}, nil
		}
		if suffix, wild := strings.CutPrefix(pattern, "*"); name == pattern || wild && strings.HasSuffix(name, suffix) {
			return &url.URL{Scheme: "https", Host: name}, nil
		}
	}
	return nil, fmt.Errorf("%q: host is not in the allow list", value)
}

// below accepts the override itself or a clean path under it.
func (h host) below(value string) (*url.URL, error) {
	u, err := baseURL(value, true)
	if err != nil {
		return nil, err
	}
	root := h.under
	if u.Scheme != root.Scheme || u.Host != root.Host || (u.Path != root.Path && !strings.HasPrefix(u.Path, root.Path+"/")) {
		return nil, fmt.Errorf("%q does not lie under %s", value, root)
	}
	return u, nil
}

var (
	hostname    = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	allowGlob   = regexp.MustCompile(`^(\*\.)?([a-z0-9-]+\.)+[a-z][a-z0-9-]*[a-z0-9]$`)
	cleanedPath = regexp.MustCompile(`^[A-Za-z0-9._~/-]*$`)
)

// baseURL reads a host's base. Real hosts are https with a name and no path; an override may carry a path, and http
// when it stays on this machine.
func baseURL(s string, override bool) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	if u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#") || u.Host == "" {
		return nil, fmt.Errorf("%q: want scheme and host without user information, query or fragment", s)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	if !override {
		if u.Scheme != "https" || u.Path != "" || !hostname.MatchString(u.Host) {
			return nil, fmt.Errorf("%q: want https://host in lower case, without port and path", s)
		}
		return u, nil
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("%q: want https, or http on a loopback address", s)
	}
	if !cleanedPath.MatchString(u.EscapedPath()) || (u.Path != "" && path.Clean(u.Path) != u.Path) {
		return nil, fmt.Errorf("%q: the path is not clean", s)
	}
	return u, nil
}

func loopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// anyHost allows every host with a name, for products that customers run themselves. What it names is vouched for by the
// application's back end, or by whoever registered the client for it, and is public, which the dial checks (package egress).
const anyHost = "*"

// buildHosts applies the overrides of one connector.
func buildHosts(s *source, m manifest, over map[string]string) map[string]host {
	hosts := map[string]host{}
	for name, spec := range m.Hosts {
		field := "hosts." + name
		h := host{connector: m.ID, name: name, capture: cmp.Or(spec.Capture, spec.Field), field: spec.Field != "", allow: spec.Allow, initial: spec.Default}
		if spec.Params != nil || strings.Contains(spec.URL, "{") {
			h.params = buildHostParams(s, field, m, spec)
		} else if h.field {
			checkHostField(s, field, m, spec)
		} else if spec.Capture == "" {
			u, err := baseURL(spec.URL, false)
			if err != nil {
				s.add(field, "%v", err)
			}
			h.base = u
		} else if !m.captured(spec.Capture) {
			s.add(field, "capture %q is not in token.capture, callback.capture or post_connect", spec.Capture)
		}
		if h.capture != "" && len(spec.Allow) == 0 {
			s.add(field, "a captured host needs an allow list")
		}
		if h.capture != "" && (spec.URL != "" || spec.Params != nil || spec.Capture != "" && h.field) || h.capture == "" && len(spec.Allow) > 0 {
			s.add(field, "url with params, or capture or field with allow, not both")
		}
		checkDefaultHost(s, field, spec, h)
		for _, p := range spec.Allow {
			if (p != anyHost || !h.field) && !allowGlob.MatchString(p) {
				s.add(field, "allow %q: want host.example or *.host.example in lower case", p)
			}
		}
		if o, ok := over[name]; ok {
			h = override(s, field, h, o)
		}
		hosts[name] = h
	}
	for name := range over {
		if _, ok := m.Hosts[name]; !ok {
			s.add("hosts", "the override names host %q, which connector %s does not have", name, m.ID)
		}
	}
	return hosts
}

// checkHostField holds a host that somebody names to a list. Where the list is everything, the person on the page must not be the one
// who names it: the client's secret and the tokens go there.
func checkHostField(s *source, field string, m manifest, spec hostSpec) {
	f, ok := m.field(spec.Field)
	if !ok || f.Secret || !f.Required || f.Kind != FieldText {
		s.add(field+".field", "%q must be a required field of kind text that is not secret", spec.Field)
	}
	if slices.Contains(spec.Allow, anyHost) && !f.Vouched {
		s.add(field+".allow", "any host needs a field that is vouched: the client's secret is sent there")
	}
}

func override(s *source, field string, h host, value string) host {
	if h.params != nil && strings.Contains(value, "{") {
		h.params = h.params.at(s, field, value)
		return h
	}
	h.params = nil
	u, err := baseURL(value, true)
	switch {
	case err != nil:
		s.add(field, "override %v", err)
	case h.capture != "":
		h.under, h.initial = u, cmp.Or(h.initial, "")
		if h.initial != "" {
			h.initial = u.String()
		}
	default:
		h.base = u
	}
	return h
}
