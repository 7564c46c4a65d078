// Package simulate plays refreshes through every fault that can be thought of, on a clock of its own.
//
// What makes refreshing hard is rare: a process that dies between an answer and its write, one that wakes up after its
// lease, an answer that gets lost. Waiting for those in production is one way to find out; this package is the other. One
// schedule is one connection that falls due, some processes that want it refreshed, a queue that delivers twice and out of
// order, a sweep each minute, a provider of some rotation class, and faults. The real coordinator and the real revoker
// run over the memory store; each process is a coroutine (iter.Pull) that gives way at each of its steps, and the
// scheduler alone decides who goes on. So a schedule is a pure function of its plan and its seed, and replays.
//
//	world.go     the connection, its actors, and one schedule from beginning to end
//	events.go    the scheduler: virtual time, processes, the queue
//	process.go   one process: the coordinator's dependencies, with a point before and behind each step
//	plan.go      which fault strikes at which point
//	provider.go  the token endpoint of each class
//	judge.go     what must hold at each moment and at the end
//	sabotage.go  broken variants, to prove that the judge sees them
package simulate
