package fault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
)

func TestProblem_UnclassifiedError_ShowsNothing(t *testing.T) {
	t.Parallel()
	body, st := fault.Problem(errors.New("dial tcp 10.0.0.1: token ghu_secret"), "req_1")
	if st != 500 || strings.Contains(string(body), "ghu_secret") || strings.Contains(string(body), "10.0.0.1") {
		t.Fatalf("%d %s", st, body)
	}
	if !strings.Contains(string(body), `"request_id":"req_1"`) {
		t.Errorf("no request id: %s", body)
	}
}

func TestProblem_WrappedFault_KeepsCodeAndHidesCause(t *testing.T) {
	t.Parallel()
	in := fault.Invalid("/tenant", "tenant is not a slug").WithCause(errors.New("private")).With("status", 1).With("hint", "x")
	body, st := fault.Problem(fmt.Errorf("create tenant: %w", in), "")
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	if st != 400 || doc["code"] != "invalid_input" || doc["field"] != "/tenant" || doc["hint"] != "x" || doc["status"] != float64(400) {
		t.Fatalf("%d %v", st, doc)
	}
	if strings.Contains(string(body), "private") {
		t.Error("the cause was shown")
	}
}

func TestProblem_UnmarshalableDetail_StillSaysTheCode(t *testing.T) {
	t.Parallel()
	body, _ := fault.Problem(fault.New(fault.Conflict, "busy").With("f", func() {}), "r")
	if !strings.Contains(string(body), `"code":"conflict"`) {
		t.Errorf("%s", body)
	}
}

func TestCodes_EachHasStatusAndTitle(t *testing.T) {
	t.Parallel()
	for _, c := range fault.Codes() {
		body, st := fault.Problem(fault.New(c, "m"), "")
		if st < 400 || strings.Contains(string(body), `"title":""`) {
			t.Errorf("%s: %d %s", c, st, body)
		}
	}
}

func TestError_With_DoesNotChangeTheOriginal(t *testing.T) {
	t.Parallel()
	a := fault.New(fault.RateLimited, "slow down").With("a", 1)
	b := a.With("b", 2).WithRetryAfter(1500 * time.Millisecond)
	if len(a.Detail) != 1 || a.RetryAfter != 0 || fault.RetrySeconds(b) != 2 {
		t.Errorf("%v %v", a, b)
	}
}
