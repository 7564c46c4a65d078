package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
	"behalf.dev/behalf/shared/tenant"
)

var update = flag.Bool("update", false, "write the answers of the service into the golden files; review the diff")

const acme tenant.ID = "acme"

type script struct {
	About     string       `json:"about"`
	Mapping   scim.Mapping `json:"mapping,omitempty"`
	Exchanges []*exchange  `json:"exchanges"`
}

type exchange struct {
	Why       string          `json:"why"`
	Request   string          `json:"request"`
	IfMatch   string          `json:"if_match,omitempty"`
	Body      json.RawMessage `json:"body,omitempty"`
	Status    int             `json:"status"`
	Answer    json.RawMessage `json:"answer,omitempty"`
	Lifecycle []string        `json:"lifecycle,omitempty"`
}

type fixedMapping scim.Mapping

func (m fixedMapping) PrincipalMapping(context.Context, tenant.ID) (scim.Mapping, error) {
	return scim.Mapping(m), nil
}

// newService gives a deterministic service: ids id-1, id-2…, a clock that advances a second at each look.
func newService(store *scimtest.Memory, life scim.Lifecycle, m scim.Mapping) *scim.Service {
	var ids, ticks int
	now := func() time.Time {
		ticks++
		return time.Date(2030, 1, 1, 0, 0, ticks, 0, time.UTC)
	}
	s := scim.New(store, life, now, func() string { ids++; return "id-" + strconv.Itoa(ids) })
	s = s.WithGroups(store).WithLocation("https://behalf.example.com/scim/v2/")
	if m != "" {
		s = s.WithMappings(fixedMapping(m))
	}
	return s
}

// TestGolden_IdentityProviders_AnswerAndLifecycle plays what each identity provider sends and compares answers and
// Lifecycle calls.
func TestGolden_IdentityProviders_AnswerAndLifecycle(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("golden files: %d, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var sc script
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&sc); err != nil {
		t.Fatal(err)
	}
	life := &scimtest.Lifecycle{}
	s := newService(scimtest.NewMemory(), life, sc.Mapping)
	for i, x := range sc.Exchanges {
		status, answer := call(t, s, x)
		calls := life.Calls()
		if *update {
			x.Status, x.Answer, x.Lifecycle = status, answer, calls
			continue
		}
		label := fmt.Sprintf("exchange %d (%s: %s)", i, x.Request, x.Why)
		if status != x.Status {
			t.Errorf("%s: status %d, want %d\n%s", label, status, x.Status, answer)
		}
		if !sameJSON(t, answer, x.Answer) {
			t.Errorf("%s: answer\n%s\nwant\n%s", label, answer, x.Answer)
		}
		if fmt.Sprint(calls) != fmt.Sprint(x.Lifecycle) {
			t.Errorf("%s: lifecycle %q, want %q", label, calls, x.Lifecycle)
		}
	}
	if *update {
		writeScript(t, file, sc)
	}
}

func writeScript(t *testing.T, file string, sc script) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(sc); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// call maps a request line to the service as an HTTP handler would.
func call(t *testing.T, s *scim.Service, x *exchange) (int, json.RawMessage) {
	t.Helper()
	method, target, _ := strings.Cut(x.Request, " ")
	path, query, _ := strings.Cut(target, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	id := ""
	if len(parts) > 1 {
		id = parts[1]
	}
	result, ok, err := dispatch(s, method+" "+parts[0], id, q, x)
	if err != nil {
		body, status := scim.ErrorBody(err)
		return status, body
	}
	if result == nil {
		return ok, nil
	}
	b, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return ok, b
}

func dispatch(s *scim.Service, route, id string, q url.Values, x *exchange) (result any, ok int, err error) {
	ctx := context.Background()
	switch route {
	case "POST Users":
		result, err = s.Create(ctx, acme, x.Body)
		return result, 201, err
	case "PUT Users":
		result, err = s.Replace(ctx, acme, id, x.Body, x.IfMatch)
	case "PATCH Users":
		result, err = s.Patch(ctx, acme, id, x.Body, x.IfMatch)
	case "DELETE Users":
		return nil, 204, s.Delete(ctx, acme, id, x.IfMatch)
	case "GET Users":
		if id == "" {
			result, err = s.List(ctx, acme, listRequest(q))
		} else {
			result, err = s.Get(ctx, acme, id)
		}
	case "POST Groups":
		result, err = s.CreateGroup(ctx, acme, x.Body)
		return result, 201, err
	case "PUT Groups":
		result, err = s.ReplaceGroup(ctx, acme, id, x.Body, x.IfMatch)
	case "PATCH Groups":
		result, err = s.PatchGroup(ctx, acme, id, x.Body, x.IfMatch)
	case "DELETE Groups":
		return nil, 204, s.DeleteGroup(ctx, acme, id, x.IfMatch)
	case "GET Groups":
		if id == "" {
			result, err = s.ListGroups(ctx, acme, listRequest(q))
		} else {
			result, err = groupProjected(s, id, q)
		}
	default:
		err = fmt.Errorf("no route %s", route)
	}
	return result, 200, err
}

func groupProjected(s *scim.Service, id string, q url.Values) (any, error) {
	g, err := s.GetGroup(context.Background(), acme, id)
	if err != nil {
		return nil, err
	}
	b, err := g.Project(q["attributes"], q["excludedAttributes"])
	return json.RawMessage(b), err
}

func listRequest(q url.Values) scim.ListRequest {
	r := scim.ListRequest{Filter: q.Get("filter"), Attributes: q["attributes"], ExcludedAttributes: q["excludedAttributes"]}
	r.StartIndex, _ = strconv.Atoi(q.Get("startIndex"))
	if n, err := strconv.Atoi(q.Get("count")); err == nil {
		r.Count = &n
	}
	return r
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}
