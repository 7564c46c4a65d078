package awslambda

import (
	"runtime/debug"
	"strconv"

	"behalf.dev/behalf/shared/env"
)

// memorySize is the function's memory in MB (Lambda Developer Guide, "Using Lambda environment variables").
const memorySize = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"

const (
	// garbage is how much of it may lie about before it is collected, in percent of what is in use. A function uses some 10 of its
	// 256 MB and makes 0.2 MB for each call: Go's 100 percent collects every 50 calls for memory that nobody else could have.
	garbage = 400
	// share of the memory in percent, at which it is collected whatever the rest says. What is left is for the runtime and the kernel.
	share = 80
)

// UseMemory lets the process use the memory that the function pays for anyway, where lookup says how much that is. It returns
// the soft limit in bytes, 0 when nothing was changed.
func UseMemory(lookup env.Lookup) int64 {
	text, _ := lookup(memorySize)
	mb, err := strconv.ParseInt(text, 10, 64)
	if err != nil || mb <= 0 {
		return 0
	}
	limit := mb << 20 / 100 * share
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(garbage)
	return limit
}
