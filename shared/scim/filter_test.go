package scim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
	"behalf.dev/behalf/shared/tenant"
)

// directory has alice (id-1), bob (id-2, inactive) and carol (id-3, no externalId).
func directory(t *testing.T) *scim.Service {
	t.Helper()
	s := newService(scimtest.NewMemory(), &scimtest.Lifecycle{}, "")
	for _, body := range []string{
		`{"userName":"Alice@Example.com","externalId":"Ext-1","title":"CEO","shoeSize":42,
		  "name":{"familyName":"Anders \"A\""},"emails":[{"value":"alice@work","type":"work"},{"value":"alice@home","type":"home"}]}`,
		`{"userName":"bob","externalId":"Ext-2","active":false,"shoeSize":44.5,"emails":[{"value":"bob@home","type":"work"}],
		  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","manager":{"value":"id-1"}}}`,
		`{"userName":"carol","title":"cto"}`,
	} {
		if _, err := s.Create(context.Background(), acme, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func find(t *testing.T, s *scim.Service, req scim.ListRequest) (string, error) {
	t.Helper()
	l, err := s.List(context.Background(), acme, req)
	var ids []string
	for _, r := range l.Resources {
		for _, id := range []string{"id-1", "id-2", "id-3"} {
			if strings.Contains(string(r), `"id":"`+id+`"`) {
				ids = append(ids, id[3:])
			}
		}
	}
	return strings.Join(ids, ""), err
}

func TestFilter_Operators_SelectUsers(t *testing.T) {
	t.Parallel()
	s := directory(t)
	for _, c := range []struct{ filter, want string }{
		{``, "123"}, {`userName eq "alice@example.COM"`, "1"}, {`USERNAME Eq "bob"`, "2"}, {`userName ne "bob"`, "13"},
		{`externalId eq "Ext-1"`, "1"}, {`externalId eq "ext-1"`, ""}, {`externalId co "xt-"`, "12"}, {`externalId co "XT-"`, ""},
		{`id eq "id-2"`, "2"}, {`id eq "ID-2"`, ""}, {`userName co "O"`, "123"}, {`userName sw "ca"`, "3"}, {`userName ew "B"`, "2"},
		{`title pr`, "13"}, {`not (title pr)`, "2"}, {`title eq null`, "2"}, {`title ne null`, "13"}, {`title ne "CEO"`, "23"},
		{`title gt "ceo"`, "3"}, {`title ge "ceo"`, "13"}, {`title lt "ceo"`, ""}, {`title le "ceo"`, "1"},
		{`active eq true`, "13"}, {`active eq "False"`, "2"}, {`active ne true`, "2"},
		{`shoeSize gt 42`, "2"}, {`shoeSize eq 42`, "1"}, {`shoeSize le 44.5`, "12"},
		{`emails.value eq "ALICE@home"`, "1"}, {`emails eq "alice@home"`, "1"}, {`emails.type eq "home"`, "1"}, {`emails pr`, "12"},
		{`emails[type eq "work" and value co "@home"]`, "2"}, {`emails[type eq "work"]`, "12"}, {`emails[not (type eq "work")]`, "1"},
		{`emails[type eq "work"].value eq "bob@home"`, "2"}, {`emails[type eq "work"].value eq "alice@home"`, ""},
		{`(emails[type eq "work"].value ew "@home") and active eq false`, "2"}, {`emails[type eq "home"].value pr or userName eq "carol"`, "13"},
		{`userName eq "bob" and active eq true`, ""}, {`userName eq "bob" and active eq false`, "2"},
		{`userName eq "bob" or userName eq "carol"`, "23"}, {`title eq "ceo" or title eq "cto" and active eq true`, "13"},
		{`name.familyName eq "anders \"a\""`, "1"}, {`userName eq "] .value eq"`, ""},
		{`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "bob"`, "2"},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales"`, "2"},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "id-1"`, "2"},
		{`meta.created gt "2030-01-01T01:00:01+01:00"`, "23"}, {`meta.resourceType eq "user"`, "123"}, {`nothing pr`, ""},
	} {
		got, err := find(t, s, scim.ListRequest{Filter: c.filter})
		if err != nil || got != c.want {
			t.Errorf("%s selects %q (%v), want %q", c.filter, got, err, c.want)
		}
	}
}

func TestFilter_WithoutMeaning_InvalidFilter(t *testing.T) {
	t.Parallel()
	s := directory(t)
	for _, f := range []string{`userName`, `userName eq`, `userName is "x"`, `eq "x"`, `active gt true`, `title co null`, `userName eq "x`,
		`(userName eq "x"`, `userName eq "\ud8zz"`, strings.Repeat("(", 5000), `emails[`, `emails[type eq "work"].`, "\xff"} {
		if _, err := find(t, s, scim.ListRequest{Filter: f}); scim.TypeOf(err) != scim.InvalidFilter {
			t.Errorf("%.40s gives %v, want invalidFilter", f, err)
		}
	}
}

func TestList_Paging_CountsEverything(t *testing.T) {
	t.Parallel()
	s := directory(t)
	n := func(i int) *int { return &i }
	for _, c := range []struct {
		start                  int
		count                  *int
		wantIDs                string
		total, page, wantStart int
	}{{0, nil, "123", 3, 3, 1}, {1, n(2), "12", 3, 2, 1}, {3, n(2), "3", 3, 1, 3}, {4, n(2), "", 3, 0, 4},
		{1, n(0), "", 3, 0, 1}, {-5, n(-1), "", 3, 0, 1}, {2, n(1), "2", 3, 1, 2}} {
		l, err := s.List(context.Background(), acme, scim.ListRequest{StartIndex: c.start, Count: c.count})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := find(t, s, scim.ListRequest{StartIndex: c.start, Count: c.count})
		if got != c.wantIDs || l.TotalResults != c.total || l.ItemsPerPage != c.page || l.StartIndex != c.wantStart {
			t.Errorf("start %d: %q, total %d, items %d, start %d", c.start, got, l.TotalResults, l.ItemsPerPage, l.StartIndex)
		}
	}
}

func TestList_BeyondTheWalkLimit_TooManyAndNotShort(t *testing.T) {
	t.Parallel()
	s := directory(t).WithWalkLimit(2)
	if _, err := find(t, s, scim.ListRequest{Filter: `title eq "CEO"`}); scim.TypeOf(err) != scim.TooMany {
		t.Errorf("got %v, want tooMany", err)
	}
	if got, err := find(t, s, scim.ListRequest{Filter: `userName eq "carol"`}); err != nil || got != "3" {
		t.Errorf("the exact look-up gives %q, %v", got, err)
	}
}

func TestList_Attributes_ProjectTheResources(t *testing.T) {
	t.Parallel()
	s := directory(t)
	for _, c := range []struct {
		with, without []string
		want          string
	}{
		{[]string{"userName,emails.value"}, nil, `{"emails":[{"value":"bob@home"}],"id":"id-2","schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"bob"}`},
		{[]string{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "nothing"}, nil, `{"id":"id-2","schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"}}`},
		{nil, []string{"META", "id", "emails.type", "shoeSize", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}, `{"active":false,"emails":[{"value":"bob@home"}],"externalId":"Ext-2","id":"id-2","schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"bob"}`},
	} {
		l, err := s.List(context.Background(), acme, scim.ListRequest{Filter: `id eq "id-2"`, Attributes: c.with, ExcludedAttributes: c.without})
		if err != nil || len(l.Resources) != 1 || string(l.Resources[0]) != c.want {
			t.Errorf("%v %v gives %s (%v)", c.with, c.without, l.Resources, err)
		}
	}
}

func TestErrorBody_Failures_InSCIMForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		want   string
	}{
		{scim.Taken("userName"), 409, `"scimType":"uniqueness"`},
		{scim.Stale(), 412, `"status":"412"`},
		{scim.Missing("User", "x"), 404, `"status":"404"`},
		{fmt.Errorf("wrapped: %w", scim.Taken("externalId")), 409, `"scimType":"uniqueness"`},
		{fault.New(fault.Unauthenticated, "no"), 401, `"status":"401"`},
		{errors.New("dynamo: table secret-name"), 500, `"status":"500"`},
		{nil, 500, `"status":"500"`},
	} {
		body, status := scim.ErrorBody(c.err)
		if status != c.status || !strings.Contains(string(body), c.want) || strings.Contains(string(body), "secret-name") ||
			!strings.Contains(string(body), scim.ErrorSchema) || status == 412 && strings.Contains(string(body), "scimType") {
			t.Errorf("%v is rendered as %d %s", c.err, status, body)
		}
	}
}

func TestPrincipalsOf_Mapping_PicksTheAttribute(t *testing.T) {
	t.Parallel()
	u := scim.User{UserName: "Al", ExternalID: "E", Emails: []scim.Email{{Value: "first@x"}, {Value: "work@x", Type: "Work"}}}
	prim := u
	prim.Emails = []scim.Email{{Value: "work@x", Type: "work"}, {Value: "P@x", Primary: true}}
	for _, c := range []struct {
		u    scim.User
		m    scim.Mapping
		want []tenant.Principal
	}{
		{u, "", []tenant.Principal{"E"}}, {u, scim.MapExternalID, []tenant.Principal{"E"}}, {u, scim.MapUserName, []tenant.Principal{"Al", "al"}},
		{u, scim.MapPrimaryEmail, []tenant.Principal{"work@x"}}, {prim, scim.MapPrimaryEmail, []tenant.Principal{"P@x", "p@x"}},
		{scim.User{UserName: "x"}, scim.MapExternalID, nil}, {scim.User{ExternalID: "_org"}, scim.MapExternalID, nil},
		{scim.User{ExternalID: strings.Repeat("x", 200)}, scim.MapExternalID, nil},
	} {
		if got := scim.PrincipalsOf(c.u, c.m); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s gives %v, want %v", c.m, got, c.want)
		}
	}
}

func FuzzFilter_AnyText_AnswersOrRefuses(f *testing.F) {
	for _, s := range []string{`userName eq "x"`, `emails[type eq "work"].value eq "x"`, `not (a.b pr) or urn:x:y:z gt 1e9`, `a eq "\u00E9"`, `((a pr))`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		dir := newService(scimtest.NewMemory(), &scimtest.Lifecycle{}, "")
		if _, err := dir.Create(context.Background(), acme, []byte(seedUser)); err != nil {
			t.Fatal(err)
		}
		_, err := dir.List(context.Background(), acme, scim.ListRequest{Filter: s})
		if err != nil && scim.TypeOf(err) != scim.InvalidFilter {
			t.Errorf("%q gives %v", s, err)
		}
	})
}
