package execute

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFit_LargestAnswersGiveWay_OthersKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	answer := func(id string, n int) batchResult {
		return batchResult{Result: &executeAnswer{ExecutionID: id, Data: json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`)}}
	}
	b := batchAnswer{Results: []batchResult{answer("exec_a", 1<<20), answer("exec_b", 3<<20), {Error: json.RawMessage(`{}`)}, answer("exec_c", 1<<20), answer("exec_d", 2<<20)}}
	b.fit("req_1")
	for i, want := range []bool{true, false, false, true, true} {
		if (b.Results[i].Result != nil) != want || (b.Results[i].Error != nil) == want {
			t.Errorf("result %d: %+v", i, b.Results[i])
		}
	}
	if text := string(b.Results[1].Error); !strings.Contains(text, "exec_b") || !strings.Contains(text, "response_too_large") {
		t.Errorf("%s", text)
	}
	if string(b.Results[2].Error) != `{}` {
		t.Errorf("%s", b.Results[2].Error)
	}
}
