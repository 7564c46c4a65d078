// Package mcp speaks the Model Context Protocol for the execute function: Streamable HTTP without sessions, in the
// revisions 2026-07-28 and 2025-11-25 (and the older ones that the SDK still negotiates).
//
// A request comes as an event of API Gateway, already authorised, and goes to the SDK's http.Handler in process; no server
// listens. An Endpoint is made once; each request gets a server of its own, which knows the two calls of one session
// (list and call) and nothing else, so nothing of one tenant outlives its request. What a tool call answers is built here:
// a failure is a result with isError, whose text says code, reason and what to do, because several frameworks show the
// model nothing but that text.
//
// No session, stream or subscription is offered: a function that is frozen between requests could not keep them.
package mcp
