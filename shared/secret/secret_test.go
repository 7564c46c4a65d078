package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

const canary = "ghu_CANARY0123456789"

type exported struct{ Token secret.Text }

type unexported struct{ token secret.Text }

type nested struct {
	in  unexported
	ptr *unexported
	l   []secret.Text
	m   map[string]secret.Text
	any any
}

func TestText_EveryFormatter_PrintsNoSecret(t *testing.T) {
	t.Parallel()
	s := secret.FromString(canary)
	u := unexported{s}
	values := map[string]any{
		"text": s, "pointer": &s, "exported": exported{s}, "unexported": u,
		"nested": nested{u, &u, []secret.Text{s}, map[string]secret.Text{"a": s}, s},
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%t", "%p", "%b"} {
			refuse(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
		refuse(t, name+" error", fmt.Errorf("call failed: %v", v).Error())
		if b, err := json.Marshal(v); err == nil {
			refuse(t, name+" json", string(b))
		}
		if b, err := xml.Marshal(v); err == nil {
			refuse(t, name+" xml", string(b))
		}
		for _, h := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		} {
			var buf bytes.Buffer
			slog.New(h(&buf)).Info("call", "value", v, slog.Group("g", "value", v))
			refuse(t, name+" slog", buf.String())
		}
	}
}

// refuse fails on the secret itself and on its hex, decimal-list and quoted forms.
func refuse(t *testing.T, where, out string) {
	t.Helper()
	forms := []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), strings.Trim(fmt.Sprint([]byte(canary)), "[]")}
	for _, f := range forms {
		if strings.Contains(out, f) {
			t.Errorf("%s leaks the secret: %s", where, out)
		}
	}
}

func TestText_Reveal_GivesTheBytesBack(t *testing.T) {
	t.Parallel()
	s := secret.FromString(canary)
	if got := string(s.Reveal(reveal.Key{})); got != canary {
		t.Fatalf("Reveal = %q", got)
	}
	if !s.Equal(secret.FromString(canary)) || s.Equal(secret.FromString("x")) {
		t.Error("Equal is wrong")
	}
	c := s
	s.Wipe()
	if strings.Contains(string(c.Reveal(reveal.Key{})), "ghu") {
		t.Error("Wipe left the bytes in a copy")
	}
}

func TestText_Zero_IsZero(t *testing.T) {
	t.Parallel()
	var z secret.Text
	if !z.IsZero() || !secret.New(nil).IsZero() || secret.FromString("a").IsZero() {
		t.Error("IsZero is wrong")
	}
	if z.Reveal(reveal.Key{}) != nil {
		t.Error("the zero Text holds bytes")
	}
}
