package dynamo

import (
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
)

// maker is one constructor of keys, from as many texts as it takes.
type maker struct {
	name, table string
	parts       int
	make        func(p []string) key
}

func refOf(p []string) connection.Ref {
	return connection.Ref{Scope: scopeOf(p), Connector: p[2], ID: connection.ID(p[3])}
}

func scopeOf(p []string) tenant.Scope {
	return tenant.Scope{Tenant: tenant.ID(p[0]), Principal: tenant.Principal(p[1])}
}

var hour = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func makers() []maker {
	return []maker{
		{"principalState", "vault", 2, func(p []string) key { return principalStateKey(scopeOf(p)) }},
		{"connection", "vault", 4, func(p []string) key { return connectionKey(refOf(p)) }},
		{"slot 0", "vault", 4, func(p []string) key { return slotKey(refOf(p), 2) }},
		{"slot 1", "vault", 4, func(p []string) key { return slotKey(refOf(p), 3) }},
		{"grant", "vault", 4, func(p []string) key {
			return grantKey(connection.Ref{Scope: scopeOf(p), Connector: "c", ID: connection.ID(p[2])}, connection.GrantID(p[3]))
		}},
		{"tenantKey", "vault", 2, func(p []string) key { return tenantKeyKey(tenant.ID(p[0]), connection.Purpose(p[1]), 7) }},
		{"client", "vault", 2, func(p []string) key { return clientKey(tenant.ID(p[0]), p[1]) }},
		{"tenantState", "vault", 1, func(p []string) key { return tenantStateKey(tenant.ID(p[0])) }},
		{"list", "vault", 2, func(p []string) key { return listKey(tenant.ID(p[0]), connection.ID(p[1])) }},
		{"tenant", "directory", 1, func(p []string) key { return tenantKey(tenant.ID(p[0])) }},
		{"issuer", "directory", 1, func(p []string) key { return issuerKey(tenant.ID(p[0])) }},
		{"tenantList", "directory", 1, func(p []string) key { return tenantListKey(tenant.ID(p[0])) }},
		{"auth", "directory", 3, func(p []string) key { return authKey(tenant.ID(p[0]), p[1], p[2]) }},
		{"scimUser", "directory", 2, func(p []string) key { return scimUserKey(tenant.ID(p[0]), p[1]) }},
		{"scimGroup", "directory", 2, func(p []string) key { return scimGroupKey(tenant.ID(p[0]), p[1]) }},
		{"scimUserName", "directory", 2, func(p []string) key { return scimUserNameKey(tenant.ID(p[0]), p[1]) }},
		{"scimExternal", "directory", 2, func(p []string) key { return scimExternalKey(tenant.ID(p[0]), p[1]) }},
		{"scimGroupExternal", "directory", 2, func(p []string) key { return scimGroupExternalKey(tenant.ID(p[0]), p[1]) }},
		{"scimMember", "directory", 3, func(p []string) key { return scimMemberKey(tenant.ID(p[0]), p[1], p[2]) }},
		{"link", "flow", 2, func(p []string) key { return linkKey(tenant.ID(p[0]), p[1]) }},
		{"linkHash", "flow", 2, func(p []string) key { return linkHashKey(tenant.ID(p[0]), p[1]) }},
		{"claim", "flow", 3, func(p []string) key { return claimKey(scopeOf(p), p[2]) }},
		{"audit", "audit", 2, func(p []string) key { return auditKey(tenant.ID(p[0]), hour, p[1]) }},
		{"segment", "audit", 1, func(p []string) key { return segmentKey(tenant.ID(p[0]), 7) }},
		{"kept", "audit", 1, func(p []string) key { return keptKey(tenant.ID(p[0])) }},
		{"hour", "audit", 1, func(p []string) key { return hourKey(tenant.ID(p[0]), hour) }},
	}
}

// shape is a key with its parts taken out: what no argument may change.
func shape(k key) string {
	return strings.Repeat("#", strings.Count(k.pk, "#")) + " " + strings.Repeat("#", strings.Count(k.sk, "#"))
}

// checkKeys is what holds for any two sets of arguments.
func checkKeys(t *testing.T, a, b []string) {
	t.Helper()
	all := makers()
	for i, m := range all {
		ka, kb := m.make(a), m.make(b)
		if plain := m.make([]string{"t", "p", "c", "i"}); shape(ka) != shape(plain) {
			t.Fatalf("%s of %q is %v: an argument broke out of its part", m.name, a[:m.parts], ka)
		}
		if strings.ContainsAny(ka.pk+ka.sk, "*?${} \x00") {
			t.Fatalf("%s of %q is %v: it holds a wildcard or a variable of IAM", m.name, a[:m.parts], ka)
		}
		if len(ka.pk) > 2048 || len(ka.sk) > 1024 {
			t.Fatalf("%s of %q is longer than DynamoDB allows", m.name, a[:m.parts])
		}
		if (ka == kb) != equalParts(m, a, b) {
			t.Fatalf("%s of %q is %v, and of %q it is %v", m.name, a[:m.parts], ka, b[:m.parts], kb)
		}
		for _, o := range all[i+1:] {
			if o.table == m.table && ka == o.make(b) {
				t.Fatalf("%s of %q and %s of %q are the same key", m.name, a, o.name, b)
			}
		}
	}
}

func equalParts(m maker, a, b []string) bool {
	for n := range m.parts {
		x, y := a[n], b[n]
		if m.name == "scimUserName" && n == 1 {
			x, y = scim.UserNameKey(x), scim.UserNameKey(y)
		}
		if x != y {
			return false
		}
	}
	return true
}

func FuzzKeys(f *testing.F) {
	f.Add("acme", "alice", "github", "conn_1", "acme", "alice", "github", "conn_2")
	f.Add("a", "b#C#c", "d", "e", "a", "b", "c#d", "e")
	f.Add("a", "b", "c", "d#S0", "a", "b", "c", "d")
	f.Add("*", "a*", "?", "${aws:x}", "", "A", "a", "!")
	f.Add("é", "e\u0301", "日本", "\xff", "=me", "_org", "a b", "..")
	f.Add("T#acme#U", "x", "y", "z", "acme", "x", "y", "z")
	f.Add("t", strings.Repeat("x", 300), "c", "i", "t", strings.Repeat("x", 301), "c", "i")
	f.Fuzz(func(t *testing.T, a1, a2, a3, a4, b1, b2, b3, b4 string) {
		checkKeys(t, []string{a1, a2, a3, a4}, []string{b1, b2, b3, b4})
		checkKeys(t, []string{a1, a2, a3, a4}, []string{a1, a2, a3, b4})
		checkKeys(t, []string{a1, a2, a3, a4}, []string{a2, a1, a4, a3})
	})
}

func TestPart_OfAHash_IsNotThatHash(t *testing.T) {
	t.Parallel()
	unsafe := part("a#b")
	if part(unsafe) == unsafe {
		t.Error("somebody may call himself by the hash of another")
	}
}

// IAM compares the principal's session tag with the key, as text.
func TestPrincipalPartition_AnyPrincipal_IsItsTag(t *testing.T) {
	t.Parallel()
	for _, p := range []tenant.Principal{"alice", "Alice", "a#b*", "_org", tenant.Principal(strings.Repeat("Ü", tenant.MaxPrincipalBytes/2))} {
		got := principalPartition(tenant.Scope{Tenant: "acme", Principal: p})
		if want := "T#acme#U#" + p.Tag(); got != want {
			t.Errorf("the partition of %q is %q, want %q", p, got, want)
		}
	}
}

func TestRefFromKey_OfAConnection_ComesBack(t *testing.T) {
	t.Parallel()
	for _, p := range []tenant.Principal{"alice", "Ünal", "_org", tenant.Principal(strings.Repeat("A", tenant.MaxPrincipalBytes))} {
		ref := connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: p}, Connector: "github", ID: "conn_00000000000000000000000001"}
		k := connectionKey(ref)
		if got, err := refFromKey(k.pk, k.sk); err != nil || got != ref {
			t.Errorf("%v came back as %v, %v", ref, got, err)
		}
	}
	for _, bad := range []key{{"T#acme#U#alice", "C#github#c#S0"}, {"T#acme#K", "C#github#c"}, {"T#Acme#U#alice", "C#github#c"}, {"T#acme#U#Alice", "C#github#c"}, {"", ""}} {
		if got, err := refFromKey(bad.pk, bad.sk); err == nil {
			t.Errorf("%v was read as %v", bad, got)
		}
	}
}
