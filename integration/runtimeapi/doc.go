// Package runtimeapi runs the binaries that are deployed, as Lambda runs them: each instance of a function is a process of
// its own, with nothing but its environment, that fetches its work over the Lambda Runtime API (Lambda Developer Guide,
// "Using the Lambda runtime API for custom runtimes").
//
//	Start    starts one instance and waits until it asks for work, or tells why it ended
//	Invoke   hands a payload to an instance that waits; when all are busy another is started
//	Close    ends the processes
//
// One process handles one invocation at a time. Its deadline is the function's timeout and not the caller's; at the deadline
// the process is killed, as Lambda does. A function that returns an error stays; one that panics ends and is replaced.
//
// It exists because the local stack calls handlers in its own process: what a main, a build tag, an environment variable or
// the SDK's default configuration get wrong only shows in the binary.
package runtimeapi
