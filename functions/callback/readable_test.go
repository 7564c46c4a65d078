package callback

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestReadable_Arguments_ShownAsTheyAre(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 200)
	input, err := json.Marshal(map[string]any{"a": "plain", "b": map[string]any{"x": 1, "y": []any{"<b>", nil}}, "c": long, "d": strings.Repeat("l\n", 20), "e": "", "f": true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readable(input)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 6 || got[0] != (argument{Name: "a", Text: "plain", Length: 5}) || got[4].Text != `""` || got[5].Text != "true" {
		t.Errorf("%+v", got)
	}
	if got[1].Text != "{\n  \"x\": 1,\n  \"y\": [\n    \"<b>\",\n    null\n  ]\n}" || got[1].Short != "" {
		t.Errorf("an object is %q", got[1].Text)
	}
	if got[2].Text != long || got[2].Short == "" || len(got[2].Short) > shortLen || got[3].Short == "" {
		t.Errorf("long texts are not folded, or not whole: %+v", got[2:4])
	}
	big, err := readable(json.RawMessage(`{"n":12345678901234567890}`))
	if err != nil || big[0].Text != "12345678901234567890" {
		t.Errorf("a large number is %v %v", big, err)
	}
}

func TestReadable_WhatCannotBeSeen_IsMadeVisible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"pay \u202e001\u202c to": "pay ⟨U+202E⟩001⟨U+202C⟩ to", "a\u200bb": "a⟨U+200B⟩b", "a\u00a0b": "a⟨U+00A0⟩b", "nul\x00": "nul⟨U+0000⟩", "\ufeffx": "⟨U+FEFF⟩x",
		"line\nnext\ttab": "line\nnext\ttab", "cr\r\n": "cr⟨U+000D⟩\n", "grüße 日本 👍": "grüße 日本 👍", "tag\U000e0041": "tag⟨U+E0041⟩", "bad\xff": "bad\ufffd",
	} {
		if got := visible(in); got != want {
			t.Errorf("%+q is shown as %+q, want %+q", in, got, want)
		}
	}
}
