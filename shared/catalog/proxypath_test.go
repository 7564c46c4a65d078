package catalog

import (
	"net/url"
	"strings"
	"testing"
)

func TestCanonicalPath_OneSpelling(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"user": "/user", "/user": "/user", "%75ser": "/user", "a%20b/c": "/a%20b/c", "": "/", "a/": "/a/", "a:b@c": "/a:b@c", "%C3%A9": "/%C3%A9",
		"projects/group%2Fsub%2fproject/issues": "/projects/group%2Fsub%2Fproject/issues", "branches/feature%2Fx": "/branches/feature%2Fx", "@scope%2Fpackage": "/@scope%2Fpackage", "a%2Fb.c": "/a%2Fb.c",
		"a..b": "/a..b", "...": "/...",
	} {
		got, err := canonicalPath(in, true)
		if err != nil || got != want {
			t.Errorf("%q is %q (%v), want %q", in, got, err, want)
		}
		again, err := canonicalPath(got, true)
		if err != nil || again != got {
			t.Errorf("%q is %q the second time (%v)", got, again, err)
		}
		if _, err := canonicalPath(in, false); (err != nil) != strings.Contains(want, "%2F") {
			t.Errorf("%q where encoded slashes are not taken: %v", in, err)
		}
	}
}

func TestCanonicalPath_Tricks_Refused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"..", ".", "a//b", "//a", "a/../b", "a/./b", "%2e%2e", "%2E./a", "a%2f..", "a%2f..%2fb", "..%2fa", ".%2fa", "a%2f.", "a%2f%2e%2e%2fb", "%2fa", "a%2f", "%2f", "a%2f%2fb", "%2f%2fevil.example",
		"a%252fb", "a%25252fb", "%252e%252e", "a%255cb", "a%5cb", `a\b`, "a%5c..%5cb", "..;/a", "..;x=1%2fa", "a%2f..;x", "%00", "a%0ab", "a%7f", "a%3fb", "a%23b", "%ff", "%", "%2", "a%zz", "%c0%ae%c0%ae%2fa", "%e0%80%af", "a%c0%afb"} {
		if got, err := canonicalPath(in, true); err == nil {
			t.Errorf("%q is taken as %q", in, got)
		}
	}
}

// Whatever is taken stays below the base, and reads the same to whoever decodes it once, twice, or with the slashes first.
func FuzzCanonicalPath(f *testing.F) {
	for _, s := range []string{"user", "a%2Fb", "a/../b", "%252e%252e%252f", "..;/", "a%2f..%2f"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in string, slashes bool) {
		got, err := canonicalPath(in, slashes)
		if err != nil {
			return
		}
		plain, err := url.PathUnescape(got)
		if err != nil || !strings.HasPrefix(got, "/") || strings.ContainsAny(plain, "%\\?#\x00\r\n") || !slashes && strings.Contains(got, "%2F") {
			t.Fatalf("%q is taken as %q", in, got)
		}
		for _, seg := range strings.Split(plain, "/") {
			if bare, _, _ := strings.Cut(seg, ";"); bare == "." || bare == ".." {
				t.Fatalf("%q is taken as %q", in, got)
			}
		}
		if again, err := canonicalPath(got, slashes); err != nil || again != got {
			t.Fatalf("%q became %q and then %q (%v)", in, got, again, err)
		}
		base, _ := url.Parse("https://api.example/v1")
		if err := appendPath(base, in, slashes); err != nil || base.EscapedPath() != "/v1"+got || base.Host != "api.example" {
			t.Fatalf("%q is judged as %q and sent as %q (%v)", in, got, base.EscapedPath(), err)
		}
	})
}
