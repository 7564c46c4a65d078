package memory_test

import (
	"testing"
	"time"

	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/storetest"
)

func clock() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func TestStore_Conformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Store { return memory.New(clock) })
}
