package revoke_test

import (
	"context"
	"testing"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/revoke"
)

// meeting runs meet once, before tokens are read or after they were erased.
type meeting struct {
	revoke.Slots
	before, after func()
}

func once(f *func()) {
	if run := *f; run != nil {
		*f = nil
		run()
	}
}

func (m *meeting) Slot(ctx context.Context, ref connection.Ref, g uint64) (connection.Slot, bool, error) {
	once(&m.before)
	return m.Slots.Slot(ctx, ref, g)
}

func (m *meeting) EraseSlots(ctx context.Context, ref connection.Ref, g uint64) error {
	err := m.Slots.EraseSlots(ctx, ref, g)
	once(&m.after)
	return err
}

// TestFinish_TwoAtOnce_TheProvidersAnswerStays: a direct call and the queue, or two clicks, work on one connection. One of them finds
// the tokens erased already, and must not say that there was nothing to end.
func TestFinish_TwoAtOnce_TheProvidersAnswerStays(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(m *meeting, other func()){
		"the second is overtaken before it reads the tokens":           func(m *meeting, other func()) { m.before = other },
		"the second finds no tokens and writes before the first could": func(m *meeting, other func()) { m.after = other },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t)
			deps := r.Deps
			m := &meeting{Slots: w.store}
			deps.Slots = m
			arrange(m, func() {
				if _, err := r.Finish(t.Context(), w.ref, false); err != nil {
					t.Error(err)
				}
			})
			if _, err := revoke.New(deps).Finish(t.Context(), w.ref, false); err != nil {
				t.Fatal(err)
			}
			c, err := w.store.Connection(t.Context(), w.ref)
			if err != nil || c.Revocation.Provider != revoke.Done || !c.Revocation.Erased || len(w.told) != 1 {
				t.Errorf("%+v, told %v: %v", c.Revocation, w.told, err)
			}
		})
	}
}
