package ident_test

import (
	"testing"
	"time"

	"behalf.dev/behalf/shared/ident"
)

func TestTimeOf_ReadsWhatNewWrote(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 123e6, time.UTC)
	s := ident.NewSource(func() time.Time { return at }, nil)
	id := s.New("exec")
	if got, ok := ident.TimeOf("exec", id); !ok || !got.Equal(at) {
		t.Errorf("%v %v", got, ok)
	}
	if low, high := ident.Floor("exec", at), ident.Floor("exec", at.Add(time.Millisecond)); id < low || id >= high {
		t.Errorf("%s is not within %s and %s", id, low, high)
	}
	for _, bad := range []string{"", "exec_", "exec_x", "aud" + id[4:], id + "0", "exec_01KAR0D5F7J1K3M5N7P9R2T4V6", "exec_zzzzzzzzzzzzzzzzzzzzzzzzzz", "exec_01kar0d5f7j1k3m5n7p9r2t4vu"} {
		if at, ok := ident.TimeOf("exec", bad); ok {
			t.Errorf("%q is read as %v", bad, at)
		}
	}
}
