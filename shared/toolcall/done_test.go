package toolcall_test

import (
	"strings"
	"testing"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// A write that was made is made, also when its answer cannot be handed on: its key must not be free for another.
func TestRun_WriteWithUnusableAnswer_IsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"too large": `{"number":7,"title":"` + strings.Repeat("x", 2<<20) + `"}`} {
		w := newWorld(t)
		w.answer = ok(answer)
		_, err := w.create("k")
		if !fault.Is(err, fault.ProviderError) || !strings.Contains(err.Error(), "the call was made") {
			t.Errorf("%s: %v", name, err)
		}
		if last := w.last(); last.Outcome != "succeeded" || last.Code != "provider_error" {
			t.Errorf("%s: on record %+v", name, last)
		}
		_, err = w.create("k")
		wantCode(t, err, fault.Conflict, "not_kept")
		if len(w.sent) != 1 {
			t.Errorf("%s: sent %d times", name, len(w.sent))
		}
	}
}

func TestProxy_WriteWithTooLargeAnswer_IsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = ok(strings.Repeat("x", 5<<20))
	call := toolcall.ProxyCall{Connector: "github", Method: "POST", Path: "gists", IdempotencyKey: "k"}
	_, err := w.proxy(call)
	wantCode(t, err, fault.ProviderError, "response_too_large")
	_, err = w.proxy(call)
	wantCode(t, err, fault.Conflict, "not_kept")
	if len(w.sent) != 1 {
		t.Errorf("sent %d times", len(w.sent))
	}
}
