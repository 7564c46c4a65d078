package scim_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
)

const seedUser = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"alice","externalId":"ext-a",
 "name":{"givenName":"Alice","familyName":"A","middleName":"M"},"title":"CEO",
 "emails":[{"value":"a@work","type":"work","primary":true},{"value":"a@home","type":"home"}],
 "custom":"x","tags":["one","two"],"urn:okta:onprem_app:1.0:user:custom":{"badge":"7"}}`

func ops(list string) []byte {
	return []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + list + `]}`)
}

// patched creates the seed user, applies the operations and gives the user without id, meta and schemas.
func patched(t *testing.T, list string) (map[string]any, error) {
	t.Helper()
	s := newService(scimtest.NewMemory(), &scimtest.Lifecycle{}, "")
	if _, err := s.Create(context.Background(), acme, []byte(seedUser)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Patch(context.Background(), acme, "id-1", ops(list), "")
	u, gerr := s.Get(context.Background(), acme, "id-1") // as stored, also after a failure
	if gerr != nil {
		t.Fatal(gerr)
	}
	b, _ := json.Marshal(u)
	var d map[string]any
	_ = json.Unmarshal(b, &d)
	delete(d, "id")
	delete(d, "meta")
	delete(d, "schemas")
	return d, err
}

type lenientForm struct{ name, ops, attr, want string } // want is JSON; empty means that the attribute is gone

func lenientForms() []lenientForm {
	const ent = scim.EnterpriseUserSchema
	return []lenientForm{
		{"op in capitals", `{"op":"REPLACE","path":"title","value":"CTO"}`, "title", `"CTO"`},
		{"member names in any case", `{"OP":"replace","Path":"title","Value":"CTO"}`, "title", `"CTO"`},
		{"path in another case", `{"op":"replace","path":"TITLE","value":"CTO"}`, "title", `"CTO"`},
		{"path with the core URN", `{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:title","value":"CTO"}`, "title", `"CTO"`},
		{"active as a string", `{"op":"replace","path":"active","value":"False"}`, "active", `false`},
		{"active in an object", `{"op":"replace","value":{"Active":"false"}}`, "active", `false`},
		{"active wrapped", `{"op":"Replace","path":"active","value":[{"$ref":null,"value":"False"}]}`, "active", `false`},
		{"sub-attribute", `{"op":"replace","path":"name.givenname","value":"Al"}`, "name", `{"givenName":"Al","familyName":"A","middleName":"M"}`},
		{"dotted key", `{"op":"replace","value":{"name.givenName":"Al"}}`, "name", `{"givenName":"Al","familyName":"A","middleName":"M"}`},
		{"object keeps what it does not name", `{"op":"replace","path":"name","value":{"givenName":"Al"}}`, "name", `{"givenName":"Al","familyName":"A","middleName":"M"}`},
		{"null unassigns", `{"op":"replace","path":"title","value":null}`, "title", ``},
		{"add of null does nothing", `{"op":"add","path":"emails","value":null}`, "title", `"CEO"`},
		{"empty string unassigns", `{"op":"replace","path":"title","value":""}`, "title", ``},
		{"remove", `{"op":"remove","path":"title"}`, "title", ``},
		{"remove of a sub-attribute", `{"op":"remove","path":"name.middleName"}`, "name", `{"givenName":"Alice","familyName":"A"}`},
		{"remove what is not there", `{"op":"remove","path":"nickName"}`, "nickName", ``},
		{"value filter", `{"op":"replace","path":"emails[type eq \"home\"].value","value":"b@home"}`, "emails",
			`[{"value":"a@work","type":"work","primary":true},{"value":"b@home","type":"home"}]`},
		{"value filter without a match adds", `{"op":"Replace","path":"emails[type eq \"other\"].value","value":"c"}`, "emails",
			`[{"value":"a@work","type":"work","primary":true},{"value":"a@home","type":"home"},{"value":"c","type":"other"}]`},
		{"value filter of two terms", `{"op":"add","path":"phoneNumbers[type eq \"work\" and primary eq true].value","value":"1"}`, "phoneNumbers",
			`[{"type":"work","primary":true,"value":"1"}]`},
		{"remove by filter", `{"op":"remove","path":"emails[type eq \"home\"]"}`, "emails", `[{"value":"a@work","type":"work","primary":true}]`},
		{"remove by value", `{"op":"Remove","path":"emails","value":[{"value":"a@home"}]}`, "emails", `[{"value":"a@work","type":"work","primary":true}]`},
		{"remove by filter without a match", `{"op":"remove","path":"emails[type eq \"x\"]"}`, "title", `"CEO"`},
		{"a second primary dethrones the first", `{"op":"add","path":"emails","value":{"value":"n","primary":"True"}}`, "emails",
			`[{"value":"a@work","type":"work"},{"value":"a@home","type":"home"},{"value":"n","primary":true}]`},
		{"add of the same value is no second one", `{"op":"add","path":"emails","value":[{"value":"a@home","type":"home","display":"H"}]}`, "emails",
			`[{"value":"a@work","type":"work","primary":true},{"value":"a@home","type":"home","display":"H"}]`},
		{"replace of a list", `{"op":"replace","path":"emails","value":[{"value":"z"}]}`, "emails", `[{"value":"z"}]`},
		{"enterprise by URN key", `{"op":"replace","value":{"` + ent + `:department":"R"}}`, ent, `{"department":"R"}`},
		{"enterprise as an object", `{"op":"add","value":{"` + ent + `":{"Department":"R"}}}`, ent, `{"department":"R"}`},
		{"enterprise in another case", `{"op":"add","path":"` + strings.ToUpper(ent) + `:costCenter","value":"9"}`, ent, `{"costCenter":"9"}`},
		{"manager as a string", `{"op":"add","path":"` + ent + `:manager","value":"m"}`, ent, `{"manager":{"value":"m"}}`},
		{"manager.value", `{"op":"add","path":"` + ent + `:manager.value","value":"m"}`, ent, `{"manager":{"value":"m"}}`},
		{"vendor URN with '_'", `{"op":"replace","path":"urn:okta:onprem_app:1.0:user:custom:badge","value":"8"}`, "urn:okta:onprem_app:1.0:user:custom", `{"badge":"8"}`},
		{"unknown attribute", `{"op":"add","path":"shoeSize","value":42}`, "shoeSize", `42`},
		{"unknown list", `{"op":"add","path":"tags","value":["two","three"]}`, "tags", `["one","two","three"]`},
		{"unknown list, remove by value", `{"op":"remove","path":"tags","value":["one"]}`, "tags", `["two"]`},
		{"own id is no change", `{"op":"replace","value":{"id":"id-1","schemas":["x"],"title":"CTO"}}`, "title", `"CTO"`},
		{"password is dropped", `{"op":"replace","value":{"password":"p"}}`, "password", ``},
		{"later operations see earlier ones", `{"op":"add","path":"ims[type eq \"x\"].value","value":"1"},{"op":"replace","path":"ims[type eq \"x\"].value","value":"2"}`, "ims", `[{"type":"x","value":"2"}]`},
	}
}

func TestPatch_LenientForms_ChangeTheNamedAttribute(t *testing.T) {
	t.Parallel()
	for _, c := range lenientForms() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := patched(t, c.ops)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if v, ok := d[c.attr]; ok {
					t.Errorf("%s is %v, want it gone", c.attr, v)
				}
				return
			}
			got, _ := json.Marshal(d[c.attr])
			if !sameJSON(t, got, []byte(c.want)) {
				t.Errorf("%s is %s, want %s", c.attr, got, c.want)
			}
		})
	}
}

type refusal struct {
	name, ops string
	want      scim.Type
}

func refusals() []refusal {
	return []refusal{
		{"unknown op", `{"op":"move","path":"title","value":"x"}`, scim.InvalidValue},
		{"second operation fails", `{"op":"replace","path":"title","value":"x"},{"op":"replace","path":"[","value":"x"}`, scim.InvalidPath},
		{"no operation", ``, scim.InvalidSyntax},
		{"path does not parse", `{"op":"replace","path":"emails[type eq","value":"x"}`, scim.InvalidPath},
		{"path is no string", `{"op":"replace","path":7,"value":"x"}`, scim.InvalidPath},
		{"filter on a single value", `{"op":"replace","path":"title[value eq \"x\"]","value":"x"}`, scim.InvalidPath},
		{"sub-attribute of a string", `{"op":"replace","path":"title.x","value":"x"}`, scim.InvalidPath},
		{"id", `{"op":"replace","path":"id","value":"x"}`, scim.Mutability},
		{"another id in an object", `{"op":"replace","value":{"id":"x"}}`, scim.Mutability},
		{"meta", `{"op":"replace","path":"meta.created","value":"x"}`, scim.Mutability},
		{"groups", `{"op":"add","path":"groups","value":[{"value":"g"}]}`, scim.Mutability},
		{"remove without a path", `{"op":"remove"}`, scim.NoTarget},
		{"a filter that describes nothing", `{"op":"replace","path":"emails[type ne \"work\" and type ne \"home\"].value","value":"x"}`, scim.NoTarget},
		{"add without a value", `{"op":"add","path":"title"}`, scim.InvalidValue},
		{"no path and no object", `{"op":"add","value":"x"}`, scim.InvalidValue},
		{"active is no boolean", `{"op":"replace","path":"active","value":"maybe"}`, scim.InvalidValue},
		{"active removed", `{"op":"remove","path":"active"}`, scim.InvalidValue},
		{"active null", `{"op":"replace","path":"active","value":null}`, scim.InvalidValue},
		{"userName removed", `{"op":"remove","path":"userName"}`, scim.InvalidValue},
		{"title is no string", `{"op":"replace","path":"title","value":7}`, scim.InvalidValue},
		{"given name is no string", `{"op":"replace","path":"name.givenName","value":7}`, scim.InvalidValue},
		{"remove with null", `{"op":"remove","path":"emails","value":null}`, scim.InvalidValue},
	}
}

func TestPatch_Refused_ChangesNothing(t *testing.T) {
	t.Parallel()
	before, err := patched(t, `{"op":"add","path":"title","value":"CEO"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			after, err := patched(t, c.ops)
			if scim.TypeOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			a, _ := json.Marshal(after)
			b, _ := json.Marshal(before)
			if string(a) != string(b) {
				t.Errorf("the user became\n%s\nfrom\n%s", a, b)
			}
		})
	}
}

func TestPatchGroup_RemoveInAnyForm_NeverEmptiesTheGroup(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`[{"value":"u1"}]`, `{"value":"u1"}`, `"u1"`, `["u1"]`, `[{"$ref":null,"value":"u1"}]`,
		`[]`, `{}`, `[{}]`, `null`, `"nobody"`, `[{"value":7}]`, `7`, `true`} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			s := newService(scimtest.NewMemory(), &scimtest.Lifecycle{}, "")
			g, err := s.CreateGroup(context.Background(), acme, []byte(`{"displayName":"G","members":[{"value":"u1"},{"value":"u2"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			_, perr := s.PatchGroup(context.Background(), acme, g.ID, ops(`{"op":"Remove","path":"members","value":`+value+`}`), "")
			g, err = s.GetGroup(context.Background(), acme, g.ID)
			if err != nil {
				t.Fatal(err)
			}
			gone := strings.Contains(value, "u1")
			if want := 2; gone && len(g.Members) != 1 || !gone && len(g.Members) != want {
				t.Errorf("members are %v after %v", g.Members, perr)
			}
			if g.Members[len(g.Members)-1].Value != "u2" {
				t.Errorf("u2 left: %v", g.Members)
			}
		})
	}
}

func FuzzPatch_AnyBody_KeepsTheUserValid(f *testing.F) {
	f.Add(string(ops(`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"}`)))
	f.Add(string(ops(`{"op":"add","value":{"name.givenName":"x","urn:a:b:User":{"c":1}}}`)))
	f.Add(string(ops(`{"op":"remove","path":"members","value":[{"value":"x"}]}`)))
	f.Add(`{"operations":[{"op":"add","path":"a.b","value":[[{}]]}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		life := &scimtest.Lifecycle{}
		s := newService(scimtest.NewMemory(), life, "")
		if _, err := s.Create(context.Background(), acme, []byte(seedUser)); err != nil {
			t.Fatal(err)
		}
		_, err := s.Patch(context.Background(), acme, "id-1", []byte(body), "")
		if b, status := scim.ErrorBody(err); err != nil && (status >= 500 || !json.Valid(b)) {
			t.Errorf("%q is answered with %d %s", body, status, b)
		}
		u, err := s.Get(context.Background(), acme, "id-1")
		if err != nil {
			t.Fatalf("after %q the user cannot be read: %v", body, err)
		}
		if u.ID != "id-1" || u.UserName == "" {
			t.Errorf("after %q: id %q, userName %q", body, u.ID, u.UserName)
		}
		if !u.Active && !life.Suspended(acme, "ext-a") {
			t.Errorf("after %q the user is inactive and not suspended", body)
		}
	})
}
