package webpage

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

func picture(t *testing.T, kind string, w, h int) string {
	t.Helper()
	var b bytes.Buffer
	img, err := image.NewGray(image.Rect(0, 0, w, h)), error(nil)
	if kind == "png" {
		err = png.Encode(&b, img)
	} else {
		err = jpeg.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// webp is the header of a lossless WebP image of w by h pixels.
func webp(w, h int) string {
	b := append([]byte("RIFF\x16\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f"), make([]byte, 12)...)
	bits := uint32(w-1) | uint32(h-1)<<14
	b[21], b[22], b[23], b[24] = byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24)
	return "data:image/webp;base64," + base64.StdEncoding.EncodeToString(b)
}

func TestCheckLogo_Table(t *testing.T) {
	t.Parallel()
	b64 := base64.StdEncoding.EncodeToString
	good := picture(t, "png", 64, 64)
	for name, c := range map[string]struct {
		logo string
		ok   bool
	}{
		"none": {"", true}, "png": {good, true}, "jpeg": {picture(t, "jpeg", 40, 20), true}, "webp": {webp(64, 32), true}, "the largest side": {picture(t, "png", 1024, 1), true},
		"too wide": {picture(t, "png", 1025, 1), false}, "webp too high": {webp(10, 1025), false},
		"address": {"https://acme.example/logo.png", false}, "address without a scheme": {"//acme.example/logo.png", false},
		"svg":                {"data:image/svg+xml;base64," + b64([]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`)), false},
		"html":               {"data:text/html;base64," + b64([]byte("<script>alert(1)</script>")), false},
		"svg that says png":  {"data:image/png;base64," + b64([]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)), false},
		"jpeg that says png": {strings.Replace(picture(t, "jpeg", 8, 8), "jpeg", "png", 1), false},
		"not base64":         {"data:image/png,abc", false}, "bad base64": {"data:image/png;base64,%%%", false}, "line break": {good[:40] + "\n" + good[40:], false},
		"more after it":            {good + `" onerror="alert(1)`, false},
		"parameters":               {strings.Replace(good, ";base64", ";charset=utf-8;base64", 1), false},
		"too many bytes":           {"data:image/png;base64," + b64(append(decoded(t, good), make([]byte, MaxLogoBytes)...)), false},
		"gif":                      {"data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=", false},
		"capitals, to be the same": {strings.Replace(good, "data:", "DATA:", 1), false},
	} {
		err := CheckLogo("/logo", c.logo)
		if (err == nil) != c.ok || err != nil && (!fault.Is(err, fault.InvalidInput) || fault.From(err).Field != "/logo") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func decoded(t *testing.T, logo string) []byte {
	t.Helper()
	_, data, _ := strings.Cut(logo, ",")
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCheckAccent_Table(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{"": true, "#000000": true, "#1a73e8": true, "#E01E5A": true, "#949494": true, "#959595": false, "#ffffff": false, "#ffd400": false, "#00ff00": false,
		"red": false, "#fff": false, "1a73e8": false, "#1a73e8;": false, "#1a73e": false, "#1a73eg": false, "#+a73e8": false, "url(x)": false, "#12345\n": false} {
		if err := CheckAccent("/accent", s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestBrand_EveryAccent_CanBeSeenAndRead goes through the whole cube of colours in steps.
func TestBrand_EveryAccent_CanBeSeenAndRead(t *testing.T) {
	t.Parallel()
	pairs := regexp.MustCompile(`--accent:(#[0-9a-f]{6});--on:(#[0-9a-f]{6})`)
	n := 0
	for v := 0; v < 1<<24; v += 4099 {
		accent := fmt.Sprintf("#%06x", v)
		if CheckAccent("", accent) != nil {
			continue
		}
		n++
		got := pairs.FindAllStringSubmatch(Brand{Accent: accent}.style(), -1)
		if len(got) != 2 {
			t.Fatalf("%s: %v", accent, got)
		}
		for i, card := range []colour{white, darkCard} {
			button, _ := parseColour(got[i][1])
			text, _ := parseColour(got[i][2])
			if contrast(button, card) < controlContrast || contrast(button, text) < textContrast {
				t.Errorf("%s: button %s with text %s on card %s: %.2f and %.2f", accent, got[i][1], got[i][2], card, contrast(button, card), contrast(button, text))
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d colours were tried", n)
	}
}

func newSite(t *testing.T) *Site {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRender_PolicyAllowsTheStyleAndNothingElse computes the hash from the page as a browser does.
func TestRender_PolicyAllowsTheStyleAndNothingElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, b := range []Brand{{}, {Name: "Acme", Accent: "#1a73e8", Logo: picture(t, "png", 8, 8)}} {
		res, err := s.Render(s.failure, 404, Page{Title: "x", Brand: b, Body: map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(res.Body), "<style>")
		css, _, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(css))
		want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
		if got := res.Header.Get("Content-Security-Policy"); got != want || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%v, want policy %s", res.Header, want)
		}
		if b.Logo != "" && !strings.Contains(string(res.Body), `<img src="`+strings.ReplaceAll(b.Logo, "+", "&#43;")+`" alt="">`) {
			t.Errorf("no logo in %.600s", res.Body)
		}
	}
}

func TestRender_HostileNames_StayText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</title></style><b>`} {
		res := s.Failure(&Failed{Err: fault.New(fault.NotFound, "%s", name), Brand: Brand{Name: name}, Back: "javascript:alert(1)"}, name)
		for _, bad := range []string{"<script", "<img", "<b>", "javascript:"} {
			if strings.Contains(string(res.Body), bad) {
				t.Errorf("%q: %s", name, res.Body)
			}
		}
	}
}

func TestFailure_EachReason_SaysWhatToDoWithAReference(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var all []error
	for reason := range reasons {
		all = append(all, fault.New(fault.Forbidden, "because").With("reason", reason))
	}
	for _, c := range fault.Codes() {
		all = append(all, fault.New(c, "because"))
	}
	for _, err := range append(all, errors.New("secret detail"), fault.New(fault.Conflict, "")) {
		res := s.Failure(err, "req_1")
		body := string(res.Body)
		if res.Status < 400 || !strings.Contains(body, "req_1") || !strings.Contains(body, "What you can do") || strings.Contains(body, "secret detail") || strings.Contains(body, "<p></p>") && fault.From(err).Message != "" {
			t.Errorf("%v: %s", err, body)
		}
	}
}

func TestPermissionsOf_UnknownScope_IsShownAsAChange(t *testing.T) {
	t.Parallel()
	c := &catalog.Connector{}
	c.Scopes.Known = map[string]catalog.Scope{"r": {Description: "Read things", Effect: catalog.EffectRead}, "d": {Description: "Delete things", Effect: catalog.EffectDestructive}}
	got := fmt.Sprint(PermissionsOf(c, []string{"d", "r", "mystery"}))
	if got != "[{read Read [Read things]} {write Change [mystery]} {destructive Delete [Delete things]}]" {
		t.Error(got)
	}
}
