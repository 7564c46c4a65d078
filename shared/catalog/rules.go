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
	Status  []int       `yaml:"status"`
	When    []condition `yaml:"when"`
	Outcome OutcomeKind `yaml:"outcome"`
	Reason  string      `yaml:"reason"`
	Needed  *neededSpec `yaml:"needed"`
}

func (r *rule) match() match { return match{r.Status, r.When} }

// neededSpec finds the scopes that the provider says it needs.
type neededSpec struct {
	Path      string `yaml:"path"`
	Header    string `yaml:"header"`
	Separator string `yaml:"separator"`
}

func (n *neededSpec) read(a answer) []string {
	if n == nil {
		return nil
	}
	text, _ := a.value(n.Path, n.Header)
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
