package scim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
)

func TestIfMatch_OnlyTheCurrentVersion_Writes(t *testing.T) {
	t.Parallel()
	for tag, ok := range map[string]bool{"": true, "*": true, `W/"2"`: true, `"2"`: true, `W/"1", W/"2"`: true, `W/"1"`: false, "2": false} {
		f := withAlice(t)
		_, err := f.Patch(ctx, acme, "id-1", ops(`{"op":"add","path":"title","value":"x"}`), tag)
		if (err == nil) != ok || !ok && !scim.IsStale(err) {
			t.Errorf("If-Match %q gives %v", tag, err)
		}
		if err := withAlice(t).Delete(ctx, acme, "id-1", tag); (err == nil) != ok {
			t.Errorf("delete with If-Match %q gives %v", tag, err)
		}
	}
}

func TestCreate_BadBody_Refused(t *testing.T) {
	t.Parallel()
	f := withAlice(t)
	for body, want := range map[string]scim.Type{
		``: scim.InvalidSyntax, `[]`: scim.InvalidSyntax, `null`: scim.InvalidSyntax, `{"userName":"x"} {}`: scim.InvalidSyntax,
		`{"userName":"x","active":true,"Active":false}`: scim.InvalidSyntax, `{}`: scim.InvalidValue, `{"userName":""}`: scim.InvalidValue,
		`{"userName":7}`: scim.InvalidValue, `{"userName":"x","active":"maybe"}`: scim.InvalidValue, `{"userName":"x","name":"y"}`: scim.InvalidValue,
		`{"userName":"x","urn:x:y:User":"z"}`: scim.InvalidValue, `{"userName":"ALICE"}`: scim.Uniqueness,
		`{"userName":"x","title":"` + strings.Repeat("x", scim.MaxBodyBytes) + `"}`: scim.InvalidValue,
	} {
		if _, err := f.Create(ctx, acme, []byte(body)); scim.TypeOf(err) != want {
			t.Errorf("%.60s gives %v, want %s", body, err, want)
		}
	}
}

func TestCreate_UnknownAttributes_AreKept(t *testing.T) {
	t.Parallel()
	s := newService(scimtest.NewMemory(), &scimtest.Lifecycle{}, "")
	if _, err := s.Create(ctx, acme, []byte(`{"userName":"x","PASSWORD":"hunter2","big":9007199254740993,"deep":{"a":[1,{"b":null}]},
		"urn:a-b_c:1.0:User":{"K":"v"},"emails":[{"value":"e","x":1}]}`)); err != nil {
		t.Fatal(err)
	}
	u, err := s.Get(ctx, acme, "id-1")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(u)
	for _, want := range []string{`"big":9007199254740993`, `"deep":{"a":[1,{"b":null}]}`, `"urn:a-b_c:1.0:User":{"K":"v"}`, `"x":1`, `"active":true`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
	if strings.Contains(string(b), "hunter2") {
		t.Error("the password was kept")
	}
}

func TestTenants_SameUserName_AreStrangers(t *testing.T) {
	t.Parallel()
	f := withAlice(t)
	if _, err := f.Create(ctx, "other", []byte(seedUser)); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{f.Delete(ctx, "other", "id-1", ""), func() error { _, err := f.Get(ctx, "other", "id-1"); return err }()} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("another tenant's user: %v", err)
		}
	}
	f.agree(t)
}

func TestDiscovery_Documents_DescribeWhatIsServed(t *testing.T) {
	t.Parallel()
	const base = "https://h/scim/v2"
	for name, b := range map[string][]byte{"config": scim.ServiceProviderConfig(base), "types": scim.ResourceTypes(base), "schemas": scim.Schemas(base)} {
		if !json.Valid(b) || !strings.Contains(string(b), base) {
			t.Errorf("%s: %s", name, b)
		}
	}
	for _, urn := range []string{scim.UserSchema, scim.EnterpriseUserSchema, scim.GroupSchema} {
		if b, ok := scim.SchemaByURN(base, urn); !ok || !strings.Contains(string(b), `"attributes":[{`) {
			t.Errorf("schema %s: %s", urn, b)
		}
	}
	user, _ := scim.SchemaByURN(base, scim.UserSchema)
	if strings.Contains(string(user), "password") || !strings.Contains(string(user), `"name":"userName"`) {
		t.Errorf("user schema: %s", user)
	}
	if _, ok := scim.ResourceType(base, "group"); !ok {
		t.Error("no resource type Group")
	}
	if _, ok := scim.ResourceType(base, "Robot"); ok {
		t.Error("a resource type Robot")
	}
}
