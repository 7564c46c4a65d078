// Package egress is the only way out: every request to a provider, for a token or for a tool, goes through its client.
//
// The guard is unconditional and sits where no URL trick reaches it, at the dial: after name resolution, the address
// that is about to be connected to must be public. That stops loopback (on Lambda the runtime API), link-local
// metadata, private ranges and their IPv6-mapped forms, whatever the name said and whatever it said a moment ago.
// Redirects are answers and are not followed, proxies from the environment are ignored, answers are capped in size and
// time. Only the local stack may allow private addresses, and it must say so by name.
package egress
