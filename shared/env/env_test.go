package env_test

import (
	"strings"
	"testing"

	"behalf.dev/behalf/shared/env"
)

func TestReader_MissingVariables_AreAllNamed(t *testing.T) {
	t.Parallel()
	r := env.NewReader(env.FromMap(map[string]string{env.Stage: "local", env.VaultTable: ""}))
	if r.Require(env.Stage) != "local" || r.Optional(env.LogLevel, "info") != "info" {
		t.Error("wrong values")
	}
	r.Require(env.VaultTable)
	r.Require(env.AuditTable)
	err := r.Err()
	if err == nil || !strings.Contains(err.Error(), env.VaultTable) || !strings.Contains(err.Error(), env.AuditTable) || strings.Contains(err.Error(), env.Stage) {
		t.Errorf("%v", err)
	}
}
