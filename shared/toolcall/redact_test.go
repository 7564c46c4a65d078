package toolcall

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret"
)

// token has characters that each encoding treats differently.
const token = "00D5g!AQEAQ.1a/2b+3c=4d_5e-6f7g8h9i"

// left is the longest piece of the secret that is still in the text, as it is or base64-decoded at any alignment.
func left(text []byte, s string) int {
	longest := 0
	look := func(b []byte) {
		for n := longest + 1; n <= len(s); n++ {
			found := false
			for i := 0; i+n <= len(s); i++ {
				if bytes.Contains(b, []byte(s[i:i+n])) {
					found = true
					break
				}
			}
			if !found {
				return
			}
			longest = n
		}
	}
	look(text)
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 4 {
			if shift < len(text) {
				t := bytes.TrimRight(text[shift:], "=")
				b, _ := enc.DecodeString(string(t[:len(t)/4*4])) // decodes up to the first foreign character
				look(b)
			}
		}
	}
	return longest
}

func TestRedact_EachEncodingAtEachPlace_LeavesNothingOfUse(t *testing.T) {
	t.Parallel()
	lower := strings.NewReplacer("%2F", "%2f", "%2B", "%2b", "%3D", "%3d").Replace
	j, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]string{
		"plain": token, "query": url.QueryEscape(token), "query in lower case": lower(url.QueryEscape(token)), "path": url.PathEscape(token), "hex": hex.EncodeToString([]byte(token)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(token))),
		"JSON": string(j), "JSON with escaped slashes": strings.ReplaceAll(token, "/", `\/`),
	}
	for before := range 4 {
		for after := range 4 {
			text := []byte(strings.Repeat("a", before) + token + strings.Repeat("z", after))
			for name, enc := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding, "raw std": base64.RawStdEncoding, "raw url": base64.RawURLEncoding} {
				forms[fmt.Sprintf("%s base64, %d before, %d after", name, before, after)] = enc.EncodeToString(text)
			}
		}
	}
	for name, form := range forms {
		got := redact([]byte(form), secret.FromString(token), catalog.AuthHeader{})
		if !bytes.Contains(got, []byte(secret.Redacted)) || left(got, token) > 4 {
			t.Errorf("%s: %q became %q", name, form, got)
		}
	}
}

func TestRedact_NothingToHide_ChangesNothing(t *testing.T) {
	t.Parallel()
	for _, s := range []string{token, "", "short", "1234567"} {
		body := []byte(`{"a":"short","b":"1234567"}`)
		if got := redact(bytes.Clone(body), secret.FromString(s), catalog.AuthHeader{}); !bytes.Equal(got, body) {
			t.Errorf("%q: %s", s, got)
		}
	}
}

func TestRedact_SeveralTimes_AllGo(t *testing.T) {
	t.Parallel()
	got := redact([]byte(token+","+token+" "+url.QueryEscape(token)), secret.FromString(token), catalog.AuthHeader{})
	if strings.Count(string(got), secret.Redacted) != 3 {
		t.Errorf("%s", got)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("ghu_0123456789abcdef", "before ", " after", uint8(0))
	f.Add(token, `{"a":"`, `"}`, uint8(3))
	f.Fuzz(func(t *testing.T, s, before, after string, how uint8) {
		if len(s) < 12 || strings.Contains(secret.Redacted, s) {
			return
		}
		text := before + s + after
		switch how % 4 {
		case 1:
			text = base64.StdEncoding.EncodeToString([]byte(text))
		case 2:
			text = base64.RawURLEncoding.EncodeToString([]byte(text))
		case 3:
			text = hex.EncodeToString([]byte(text))
		}
		got := redact([]byte(text), secret.FromString(s), catalog.AuthHeader{})
		if bytes.Contains(got, []byte(s)) || !bytes.Contains(got, []byte(secret.Redacted)) {
			t.Errorf("%q in %q: %q", s, text, got)
		}
	})
}
