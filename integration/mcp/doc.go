// Package mcp holds Behalf's MCP endpoint to the protocol's public conformance suite, over HTTP, on the local stack.
//
// It also lets the official clients, in Go and in TypeScript, log in by OAuth, and holds the authorization server to the suite's two scenarios for
// those. The suite's auth/… scenarios test clients and do not apply.
//
// The suite tests servers of every kind. What does not apply to a stateless server of connectors' tools is listed check by
// check, with the reason, in not-applicable-<revision>.yaml; the test fails on a failure that is not listed and on a listed
// one that passes. The suite and, where the machine's is too old, Node are fetched from npm in pinned versions when
// BEHALF_MCP_CONFORMANCE is set (make test-mcp).
package mcp
