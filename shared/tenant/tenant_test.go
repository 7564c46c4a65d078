package tenant_test

import (
	"regexp"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

func TestParse_Grammar(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"acme", "a1", "t-1", "1a", strings.Repeat("a", 63)} {
		if _, err := tenant.Parse("tenant", ok); err != nil {
			t.Errorf("%q refused: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "a", "-a", "Acme", "a_b", "a#b", "a*", "a?", "a$", "a/b", "a b", "аcme", "_deployment", strings.Repeat("a", 64), "acme\n", "${x}"} {
		if _, err := tenant.Parse("tenant", bad); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%q accepted", bad)
		}
	}
}

// tagSafe is what both an STS tag value and our key grammar allow, lower case only.
var tagSafe = regexp.MustCompile(`^[a-z0-9_.=-]{1,256}$`)

func TestPrincipalTag_InjectiveAndSafe(t *testing.T) {
	t.Parallel()
	ids := []string{"user_alice", "User_Alice", "USER_ALICE", "a#b", "a*", "T#acme", "alice@example.com", "=abc", "日本", "a b", "00u1AbC", strings.Repeat("é", 64), "_org", "..", "a/b", "é", "e\u0301"}
	seen := map[string]string{}
	for _, id := range ids {
		p, err := tenant.ParsePrincipal("principal", id)
		if err != nil {
			t.Fatalf("%q refused: %v", id, err)
		}
		tag := p.Tag()
		if !tagSafe.MatchString(tag) {
			t.Errorf("%q: tag %q is not safe", id, tag)
		}
		if other, dup := seen[tag]; dup {
			t.Errorf("%q and %q share tag %q", id, other, tag)
		}
		seen[tag] = id
		if back, err := tenant.PrincipalFromTag(tag); err != nil || string(back) != id {
			t.Errorf("%q came back as %q, %v", id, back, err)
		}
	}
}

func TestParsePrincipal_BadInput_NamesTheField(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "_deployment", "__x", "a\x00b", "a\nb", "\xff", strings.Repeat("a", 129)} {
		_, err := tenant.ParsePrincipal("/principal", bad)
		if !fault.Is(err, fault.InvalidInput) || fault.From(err).Field != "/principal" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzPrincipalTag(f *testing.F) {
	f.Add("user_alice")
	f.Add("=aa")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := tenant.ParsePrincipal("p", s)
		if err != nil {
			return
		}
		back, err := tenant.PrincipalFromTag(p.Tag())
		if err != nil || back != p || !tagSafe.MatchString(p.Tag()) {
			t.Fatalf("%q -> %q -> %q, %v", s, p.Tag(), back, err)
		}
	})
}
