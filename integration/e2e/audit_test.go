package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/shared/audit"
)

func TestAudit_EachExecution_HasIntentAndOutcomeThatNameEverything(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	session := f.Session(t, "acme", "user_alice", object{"agent": "triage", "run_id": "run-7"})
	done := f.Execute(t, session, "github_create_issue", object{"owner": "acme", "repo": "billing", "title": "A title nobody logs"}, nil).Want(t, 200)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindAPI, Mode: "status:500"})
	failed := f.Execute(t, session, "github_create_issue", object{"owner": "acme", "repo": "billing", "title": "x"}, nil).WantCode(t, "provider_error")
	refused := f.Execute(t, session, "github_create_issue", object{"owner": "acme"}, nil).WantCode(t, "invalid_input")

	for name, c := range map[string]struct {
		answer e2e.Answer
		kinds  []string
		last   object
	}{
		"success": {done, []string{"execution.outcome", "execution.intent"}, object{"outcome": "succeeded", "provider_status": 201.0}},
		"failure": {failed, []string{"execution.outcome", "execution.intent"}, object{"outcome": "failed", "code": "provider_error", "provider_status": 500.0}},
		"refusal": {refused, []string{"execution.refused"}, object{"outcome": "failed", "code": "invalid_input"}},
	} {
		records := f.Audit(t, "acme", "execution="+c.answer.Text("execution_id"))
		var kinds []string
		for _, r := range records {
			kinds = append(kinds, fmt.Sprint(r["kind"]))
			for k, want := range (object{"tenant": "acme", "principal": "user_alice", "agent": "triage", "run_id": "run-7", "tool": "github_create_issue", "connector": "github", "effect": "write"}) {
				if r[k] != want {
					t.Errorf("%s: %s of %v is %v, want %v", name, k, r["kind"], r[k], want)
				}
			}
			if name != "refusal" && (r["connection_id"] != id || r["grant_id"] != done.Text("grant_id") || len(fmt.Sprint(r["input_sha256"])) != 64 || r["generation"] != 1.0 || r["scopes"] == nil) {
				t.Errorf("%s: %v", name, r)
			}
			if r["session_id"] == nil || r["request_id"] == nil {
				t.Errorf("%s: no session or request in %v", name, r)
			}
		}
		if !slices.Equal(kinds, c.kinds) {
			t.Fatalf("%s: records %v, want %v", name, kinds, c.kinds)
		}
		for k, want := range c.last {
			if records[0][k] != want {
				t.Errorf("%s: %s is %v, want %v", name, k, records[0][k], want)
			}
		}
	}
}

func TestAudit_RecordCannotBeWritten_NothingIsSent(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	before := f.Counters(t, "github").APICalls
	f.Account().Faults().FailBefore("dynamodb:PutItem", -1, func(b []byte) bool { return slices.Contains(tablesIn(b), "behalf-local-audit") })
	a := f.Execute(t, session, "github_get_authenticated_user", nil, nil).WantCode(t, "internal")
	if a.JSON["retryable"] != true {
		t.Errorf("%s", a.Body)
	}
	if got := f.Counters(t, "github").APICalls; got != before {
		t.Error("the provider was called without a record")
	}
	f.Account().Faults().Clear()
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
}

func tablesIn(body []byte) []string {
	var b struct{ TableName string }
	_ = json.Unmarshal(body, &b) // not JSON: no table
	return []string{b.TableName}
}

func TestAudit_FiltersAndPages_CoverTheTrailWithoutGapOrRepetition(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	alices := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	f.Connect(t, "globex", "user_carol", "github", "carol", nil)
	for _, who := range []string{"user_alice", "user_bob", "user_alice"} {
		s := f.Session(t, "acme", who, nil)
		f.Execute(t, s, "github_get_authenticated_user", nil, nil).Want(t, 200)
		f.Clock.Advance(50 * time.Minute) // over the border of an hour
	}
	f.Settle(t)
	all := f.Audit(t, "acme", "limit=1000")
	for _, limit := range []int{1, 2, 3, 7} {
		paged := f.Audit(t, "acme", fmt.Sprintf("limit=%d", limit))
		if len(paged) != len(all) {
			t.Fatalf("%d records in pages of %d, %d at once", len(paged), limit, len(all))
		}
		for i := range all {
			if paged[i]["id"] != all[i]["id"] {
				t.Fatalf("page of %d: record %d is %v, want %v", limit, i, paged[i]["id"], all[i]["id"])
			}
		}
	}
	for query, want := range map[string]func(object) bool{
		"principal=user_bob":                                 func(r object) bool { return r["principal"] == "user_bob" },
		"connection=" + alices:                               func(r object) bool { return r["connection_id"] == alices },
		"tool=github_get_authenticated_user":                 func(r object) bool { return r["tool"] == "github_get_authenticated_user" },
		"run=run-user_alice":                                 func(r object) bool { return r["run_id"] == "run-user_alice" },
		"kind=grant.created":                                 func(r object) bool { return r["kind"] == "grant.created" },
		"kind=execution.intent&principal=user_alice&limit=1": func(r object) bool { return r["kind"] == "execution.intent" && r["principal"] == "user_alice" },
		"from=" + url.QueryEscape(f.Clock.Now().Add(-60*time.Minute).Format(time.RFC3339)): func(r object) bool {
			at, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(r["time"]))
			return !at.Before(f.Clock.Now().Add(-61 * time.Minute))
		},
		"to=" + url.QueryEscape(f.Clock.Now().Add(-60*time.Minute).Format(time.RFC3339)): func(r object) bool {
			at, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(r["time"]))
			return at.Before(f.Clock.Now().Add(-59 * time.Minute))
		},
	} {
		n := 0
		for _, r := range all {
			if want(r) {
				n++
			}
		}
		got := f.Audit(t, "acme", query)
		if len(got) != n || n == 0 {
			t.Errorf("%s: %d records, want %d (more than none)", query, len(got), n)
		}
		for _, r := range got {
			if !want(r) || r["tenant"] != "acme" {
				t.Errorf("%s: %v", query, r)
			}
		}
	}
}

// export is a tenant's trail as somebody would take it away for verification.
func export(t *testing.T, f *e2e.Fixture, tenant string) (records []audit.Record, segments []audit.Segment) {
	t.Helper()
	a := f.Back(t, "GET", "/v1/tenants/"+tenant+"/audit?limit=1000&include=segments", nil).Want(t, 200)
	var out struct {
		Records  []audit.Record
		Segments []audit.Segment
		Cursor   string
	}
	if err := json.Unmarshal([]byte(a.Body), &out); err != nil || out.Cursor != "" {
		t.Fatal(err, out.Cursor)
	}
	return out.Records, out.Segments
}

// verify checks a trail as of an hour later: by then everything must be sealed.
func verify(f *e2e.Fixture, r []audit.Record, s []audit.Segment) audit.Report {
	return audit.Verify(r, s, f.Clock.Now().Add(time.Hour), time.Minute)
}

func TestAudit_Chain_VerifiesOfflineAndShowsTampering(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	for range 3 {
		f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
		f.Settle(t)
	}
	records, segments := export(t, f, "acme")
	rep := verify(f, records, segments)
	if !rep.OK() || rep.Records < 10 || rep.Segments < 3 || rep.Unsealed != 0 {
		t.Fatalf("%+v", rep)
	}
	for name, tamper := range map[string]func() ([]audit.Record, []audit.Segment){
		"record changed": func() ([]audit.Record, []audit.Segment) {
			r := slices.Clone(records)
			r[2].Principal = "user_bob"
			return r, segments
		},
		"record removed": func() ([]audit.Record, []audit.Segment) { return slices.Delete(slices.Clone(records), 1, 2), segments },
		"record inserted": func() ([]audit.Record, []audit.Segment) {
			r := records[0]
			r.ID += "x"
			return append(slices.Clone(records), r), segments
		},
		"segment removed": func() ([]audit.Record, []audit.Segment) { return records, slices.Delete(slices.Clone(segments), 1, 2) },
		"first removed":   func() ([]audit.Record, []audit.Segment) { return records, segments[1:] },
		"segment changed": func() ([]audit.Record, []audit.Segment) {
			s := slices.Clone(segments)
			s[1].Records = s[1].Records[1:]
			return records, s
		},
		"segments swapped": func() ([]audit.Record, []audit.Segment) {
			s := slices.Clone(segments)
			s[0], s[1] = s[1], s[0]
			return records, s
		},
	} {
		if r, s := tamper(); verify(f, r, s).OK() {
			t.Errorf("%s: not noticed", name)
		}
	}
	if _, other := export(t, f, "globex"); len(other) > 0 && other[0].Hash == segments[0].Hash {
		t.Error("two tenants share a chain")
	}
}
