package callback

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// argument is one argument of a call as a person reads it.
type argument struct {
	Name, Text string
	// Short is the beginning of a Text that is folded; empty for one that is shown whole.
	Short string
	// Length counts the characters of Text.
	Length int
}

// What is longer is folded.
const (
	maxShown = 600
	maxLines = 12
	shortLen = 160
)

// readable lists the arguments of a call, by name. Texts stand as they are, all else as JSON; what cannot be seen is made
// visible, because a person must be able to rely on what the page shows.
func readable(input json.RawMessage) ([]argument, error) {
	d := json.NewDecoder(bytes.NewReader(input))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("read the arguments: %w", err)
	}
	out := make([]argument, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		text, ok := m[name].(string)
		if !ok {
			b, err := marshalPlain(m[name])
			if err != nil {
				return nil, err
			}
			text = b
		} else if text == "" {
			text = `""`
		}
		text = visible(text)
		a := argument{Name: visible(name), Text: text, Length: utf8.RuneCountInString(text)}
		if a.Length > maxShown || strings.Count(text, "\n") >= maxLines {
			a.Short = strings.Join(strings.Fields(string([]rune(text)[:min(shortLen, a.Length)])), " ")
		}
		out = append(out, a)
	}
	return out, nil
}

// marshalPlain is indented JSON in which '<' is '<': the template escapes for HTML.
func marshalPlain(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// visible writes characters that show nothing, or that reorder what stands around them (Unicode's control and format
// characters, among them the bidirectional overrides), as their code point: a call must not read otherwise than it is.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == ' ' || unicode.IsPrint(r): // of the spaces, IsPrint knows U+0020 alone
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		}
	}
	return b.String()
}
