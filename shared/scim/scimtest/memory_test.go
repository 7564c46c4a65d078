package scimtest_test

import (
	"testing"

	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
)

func TestMemory_Users_KeepTheContract(t *testing.T) {
	t.Parallel()
	scimtest.RunStore(t, func(*testing.T) scim.Store { return scimtest.NewMemory() })
}

func TestMemory_Groups_KeepTheContract(t *testing.T) {
	t.Parallel()
	scimtest.RunGroupStore(t, func(*testing.T) scim.GroupStore { return scimtest.NewMemory() })
}
