// Package journey is one walk through a running stack, from a new tenant to the sealed record of its offboarding. It runs
// unchanged on each way to put a stack together: embedded AWS or an endpoint, functions in process or as binaries.
//
// It calls every one of the eight functions at least once. What it asserts about the provider it reads from the emulator.
// What the product promises in detail is package e2e's business; here the question is whether the parts are connected.
package journey
