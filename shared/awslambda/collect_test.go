package awslambda_test

import (
	"math"
	"runtime/debug"
	"testing"

	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/env"
)

// Not parallel: it changes the process.
func TestUseMemory_OfTheFunctionsSize_OrNothing(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	for _, size := range []string{"", "0", "-1", "much"} {
		if got := awslambda.UseMemory(env.FromMap(map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": size})); got != 0 || debug.SetMemoryLimit(-1) != math.MaxInt64 {
			t.Errorf("%q: a limit of %d bytes", size, got)
		}
	}
	got := awslambda.UseMemory(env.FromMap(map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}))
	if now := debug.SetMemoryLimit(-1); got != now || now < 200<<20 || now > 210<<20 {
		t.Errorf("256 MB: a limit of %d, said %d", now, got)
	}
	if percent := debug.SetGCPercent(100); percent != 400 {
		t.Errorf("collects at %d percent", percent)
	}
}
