package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// soql is a parsed query of the subset
//
//	SELECT f1, f2 FROM Object [WHERE f = 'x' [AND g != 'y']...]
//	  [ORDER BY f [ASC|DESC]] [LIMIT n]
//
// with = and != and LIKE (% at either end). Anything else is MALFORMED_QUERY.
type soql struct {
	fields []string
	object string
	where  []soqlTerm
	order  string
	desc   bool
	limit  int // -1: none
}

type soqlTerm struct{ field, op, value string }

var errSOQL = errors.New("unexpected token")

// parseSOQL reads a query; keywords are case-insensitive, names are not.
func parseSOQL(text string) (soql, error) {
	words, err := soqlWords(text)
	if err != nil {
		return soql{}, err
	}
	p := &soqlParser{words: words}
	q := soql{limit: -1}
	p.expect("SELECT")
	q.fields = append(q.fields, p.name())
	for p.take(",") {
		q.fields = append(q.fields, p.name())
	}
	p.expect("FROM")
	q.object = p.name()
	if p.take("WHERE") {
		q.where = append(q.where, p.term())
		for p.take("AND") {
			q.where = append(q.where, p.term())
		}
	}
	if p.take("ORDER") {
		p.expect("BY")
		q.order = p.name()
		if q.desc = p.take("DESC"); !q.desc {
			p.take("ASC")
		}
	}
	if p.take("LIMIT") {
		n, err := strconv.Atoi(p.next())
		if err != nil || n < 0 {
			p.bad = true
		}
		q.limit = n
	}
	if p.bad || len(p.words) > 0 {
		return soql{}, fmt.Errorf("%w near position %d", errSOQL, len(words)-len(p.words))
	}
	return q, nil
}

// mentioned lists every field that the query names.
func (q soql) mentioned() []string {
	out := slices.Clone(q.fields)
	for _, t := range q.where {
		out = append(out, t.field)
	}
	if q.order != "" {
		out = append(out, q.order)
	}
	return out
}

// pick filters, sorts and cuts records.
func (q soql) pick(all []*sfRecord) []*sfRecord {
	var out []*sfRecord
	for _, r := range all {
		if !slices.ContainsFunc(q.where, func(t soqlTerm) bool { return !t.holds(r) }) {
			out = append(out, r)
		}
	}
	if q.order != "" {
		slices.SortStableFunc(out, func(a, b *sfRecord) int {
			n := soqlCompare(a.values[q.order], b.values[q.order])
			if q.desc {
				return -n
			}
			return n
		})
	}
	if q.limit >= 0 && len(out) > q.limit {
		out = out[:q.limit]
	}
	return out
}

// soqlCompare sorts numbers as numbers and the rest as text, nulls first.
func soqlCompare(a, b any) int {
	x, ok1 := a.(float64)
	y, ok2 := b.(float64)
	if ok1 && ok2 {
		return cmp.Compare(x, y)
	}
	return strings.Compare(soqlText(a), soqlText(b))
}

func soqlText(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// holds compares as SOQL does: text without regard to case.
func (t soqlTerm) holds(r *sfRecord) bool {
	have := soqlText(r.values[t.field])
	if f, ok := r.values[t.field].(float64); ok {
		have = strconv.FormatFloat(f, 'f', -1, 64)
	}
	switch t.op {
	case "=":
		return strings.EqualFold(have, t.value)
	case "!=":
		return !strings.EqualFold(have, t.value)
	}
	have, want := strings.ToLower(have), strings.ToLower(t.value)
	head, tail := strings.HasPrefix(want, "%"), strings.HasSuffix(want, "%")
	want = strings.Trim(want, "%")
	switch {
	case head && tail:
		return strings.Contains(have, want)
	case head:
		return strings.HasSuffix(have, want)
	case tail:
		return strings.HasPrefix(have, want)
	}
	return have == want
}

// soqlParser eats words; bad remembers that one did not fit.
type soqlParser struct {
	words []string
	bad   bool
}

func (p *soqlParser) next() string {
	if len(p.words) == 0 {
		p.bad = true
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *soqlParser) take(keyword string) bool {
	if len(p.words) == 0 || !strings.EqualFold(p.words[0], keyword) {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *soqlParser) expect(keyword string) {
	if !p.take(keyword) {
		p.bad = true
	}
}

// name eats an identifier; a quoted text or a sign is none.
func (p *soqlParser) name() string {
	w := p.next()
	if w == "" || !(unicode.IsLetter(rune(w[0])) || w[0] == '_') {
		p.bad = true
	}
	return w
}

// term eats one comparison. Values are quoted text, numbers, true or false.
func (p *soqlParser) term() soqlTerm {
	t := soqlTerm{field: p.name(), op: strings.ToUpper(p.next()), value: p.next()}
	if !slices.Contains([]string{"=", "!=", "LIKE"}, t.op) {
		p.bad = true
	}
	if text, quoted := strings.CutPrefix(t.value, "'"); quoted {
		t.value = text
	} else if _, err := strconv.ParseFloat(t.value, 64); err != nil && t.value != "true" && t.value != "false" {
		p.bad = true
	}
	return t
}

// soqlWords splits a query. A quoted text becomes one word that keeps its first
// quote as a mark; \' and \\ are unescaped.
func soqlWords(text string) ([]string, error) {
	var words []string
	for i := 0; i < len(text); {
		switch ch := text[i]; {
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r':
			i++
		case ch == '\'':
			word, n, err := soqlQuoted(text[i:])
			if err != nil {
				return nil, err
			}
			words, i = append(words, word), i+n
		case ch == ',' || ch == '=':
			words, i = append(words, string(ch)), i+1
		case ch == '!' && i+1 < len(text) && text[i+1] == '=':
			words, i = append(words, "!="), i+2
		default:
			n := strings.IndexAny(text[i:], " \t\r\n,'=!")
			if n <= 0 {
				n = len(text) - i
			}
			words, i = append(words, text[i:i+n]), i+n
		}
	}
	return words, nil
}

func soqlQuoted(text string) (word string, n int, err error) {
	var b strings.Builder
	b.WriteByte('\'')
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] == '\'':
			return b.String(), i + 1, nil
		default:
			b.WriteByte(text[i])
		}
	}
	return "", 0, fmt.Errorf("%w: quote is not closed", errSOQL)
}
