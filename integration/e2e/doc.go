// Package e2e runs the promises of Behalf as tests, through the front door: HTTP to a whole local stack, a browser with
// cookies, and the provider emulators as witnesses of what reached the provider.
//
// A Fixture is one stack with OAuth clients registered, and the tenants acme (user_alice, user_bob) and globex
// (user_carol). Connect walks a person through the real pages. The clock is the fixture's: it runs, and Advance makes it
// jump, so nothing waits for a token to expire. What a test asserts about a provider it reads from the emulator, never
// from Behalf's own word.
package e2e
