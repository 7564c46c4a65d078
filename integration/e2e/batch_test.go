package e2e_test

import (
	"fmt"
	"testing"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

func runBatch(f *e2e.Fixture, t *testing.T, session string, calls []object) e2e.Answer {
	t.Helper()
	return f.Do(t, e2e.Request{Method: "POST", Path: "/v1/execute/batch", Token: session, Body: object{"calls": calls}})
}

// Answers stand in the order of the calls, however long each took.
func TestBatch_TwentyCalls_AnswersInTheirPlaces(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeSlow, DelayMS: 300, Times: 3}) // the first ones come last
	var calls []object
	for i := range 20 {
		calls = append(calls, object{"tool": "github_create_issue", "input": issue(fmt.Sprintf("number %d", i)), "idempotency_key": fmt.Sprint("b", i)})
	}
	a := runBatch(f, t, session, calls).Want(t, 200)
	results := a.List("results")
	if len(results) != 20 || a.JSON["failed"] != 0.0 {
		t.Fatalf("%s", a.Body)
	}
	for i, r := range results {
		result, _ := r["result"].(map[string]any)
		data, _ := result["data"].(map[string]any)
		if data["title"] != fmt.Sprintf("number %d", i) || r["error"] != nil {
			t.Errorf("place %d: %v", i, r)
		}
	}
	again := runBatch(f, t, session, calls).Want(t, 200)
	for i, r := range again.List("results") {
		if r["replayed"] != true {
			t.Errorf("place %d was made again: %v", i, r)
		}
	}
	if n := posts(t, f, "github"); n != 20 {
		t.Errorf("%d writes", n)
	}
}

// The same key twice in one batch is one write; the other is told to wait, or given the same answer.
func TestBatch_SameKeyTwice_OneWrite(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	call := object{"tool": "github_create_issue", "input": issue("once"), "idempotency_key": "k"}
	a := runBatch(f, t, session, []object{call, call, call}).Want(t, 200)
	for i, r := range a.List("results") {
		problem, _ := r["error"].(map[string]any)
		if problem != nil && (problem["code"] != "conflict" || problem["reason"] != "in_flight") {
			t.Errorf("place %d: %v", i, r)
		}
	}
	if n := posts(t, f, "github"); n != 1 {
		t.Errorf("%d writes", n)
	}
}

// A budget counts each call of a batch, and refuses those beyond it one by one.
func TestBatch_Budget_CountsEachCall(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"budgets": []object{{"id": "three", "per": "principal", "limit": 3, "window_seconds": 2678400}}}).Want(t, 200)
	calls := []object{}
	for range 8 {
		calls = append(calls, object{"tool": "github_get_authenticated_user"})
	}
	before := len(f.Calls(t, "github", emulator.KindAPI))
	a := runBatch(f, t, session, calls).Want(t, 200)
	limited := 0
	for _, r := range a.List("results") {
		if problem, _ := r["error"].(map[string]any); problem["code"] == "rate_limited" && problem["budget"] == "three" {
			limited++
		}
	}
	if sent := len(f.Calls(t, "github", emulator.KindAPI)) - before; limited != 5 || sent != 3 || a.JSON["failed"] != 5.0 {
		t.Errorf("%d limited, %d sent: %s", limited, sent, a.Body)
	}
}
