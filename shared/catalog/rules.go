package catalog

import (
	"net/http"
	"slices"
	"strings"
)

// answer is a response as rules see it.
type answer struct {
	status int
	header http.Header
	body   any
	// on is what the token endpoint was asked for; empty elsewhere.
	on string
}

// match is a set of conditions that all hold.
type match struct {
	Status []int       `yaml:"status"`
	When   []condition `yaml:"when"`
}

// condition tests one value of the answer.
type condition struct {
	Path     string `yaml:"path"`
	Header   string `yaml:"header"`
	Is       values `yaml:"is"`
	Contains string `yaml:"contains"`
	Present  bool   `yaml:"present"`
	// Absent holds where nothing is: GraphQL answers failures with status 200 and a list of errors.
	Absent bool `yaml:"absent"`
}

// rule gives an outcome to the answers that it matches.
type rule struct {
	// On limits a rule of errors.token to what was asked; empty is always.
	On      []string    `yaml:"on"`
	Status  []int       `yaml:"status"`
	When    []condition `yaml:"when"`
	Outcome OutcomeKind `yaml:"outcome"`
	Reason  string      `yaml:"reason"`
	Needed  *neededSpec `yaml:"needed"`
}

func (r *rule) match() match { return match{r.Status, r.When} }

// neededSpec finds the scopes that the provider says it needs.
type neededSpec struct {
	Path   string `yaml:"path"`
	Header string `yaml:"header"`
	// Param is the parameter of the header that holds them: scope in WWW-Authenticate (RFC 6750, section 3).
	Param     string `yaml:"param"`
	Separator string `yaml:"separator"`
}

// What a token endpoint can be asked for.
const (
	onExchange = "exchange"
	onRefresh  = "refresh"
	onStep     = "step"
)

// fits reports that the rule is for what was asked.
func (r *rule) fits(a answer) bool { return len(r.On) == 0 || slices.Contains(r.On, a.on) }

// headerParam finds name="value" in a header such as WWW-Authenticate.
func headerParam(header, name string) string {
	for rest := header; ; {
		i := strings.Index(strings.ToLower(rest), strings.ToLower(name)+"=")
		if i < 0 {
			return ""
		}
		begins := i == 0 || strings.ContainsRune(" ,", rune(rest[i-1]))
		rest = rest[i+len(name)+1:]
		if !begins {
			continue
		}
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, _, _ := strings.Cut(quoted, `"`)
			return value
		}
		if end := strings.IndexAny(rest, ", "); end >= 0 {
			rest = rest[:end]
		}
		return rest
	}
}

func (n *neededSpec) read(a answer) []string {
	if n == nil {
		return nil
	}
	text, _ := a.value(n.Path, n.Header)
	if n.Param != "" {
		text = headerParam(text, n.Param)
	}
	parts := strings.Split(text, n.Separator)
	if found, _ := lookup(a.body, n.Path); n.Header == "" && text == "" {
		parts = texts(found)
	}
	var list []string
	for _, s := range parts {
		if s = strings.TrimSpace(s); s != "" && len(s) <= 128 && len(list) < 20 && !strings.ContainsFunc(s, notScopeChar) {
			list = append(list, s)
		}
	}
	return list
}

func (a answer) matches(m match) bool {
	return (len(m.Status) == 0 || slices.Contains(m.Status, a.status)) && a.all(m.When)
}

func (a answer) all(list []condition) bool {
	for _, c := range list {
		if c.Absent {
			if a.there(c.Path, c.Header) {
				return false
			}
			continue
		}
		text, ok := a.value(c.Path, c.Header)
		switch {
		case !ok:
			return false
		case len(c.Is) > 0 && !slices.Contains(c.Is, text):
			return false
		case c.Contains != "" && !strings.Contains(strings.ToLower(text), strings.ToLower(c.Contains)):
			return false
		}
	}
	return true
}

// there reports that the answer holds something at path, of any type, or the header.
func (a answer) there(path, header string) bool {
	if header != "" {
		return len(a.header.Values(header)) > 0
	}
	_, ok := lookup(a.body, path)
	return ok
}

// wholeBody is the path of an answer that is plain text.
const wholeBody = "."

func (a answer) value(path, header string) (string, bool) {
	if header != "" {
		v := a.header.Values(header)
		if len(v) == 0 {
			return "", false
		}
		return v[0], true
	}
	if path == wholeBody {
		path = ""
	}
	return lookupText(a.body, path)
}
