// Package storm proves refreshing where it is hardest: against an OAuth server that nobody here wrote, and across processes
// that share no memory.
//
//	server.mjs   npm oidc-provider: refresh tokens rotate, and one that is used twice ends its whole grant
//	provider.go  starts it as a process
//	front.go     what stands before it: tells its requests apart, counts them, delays, cuts and refuses them; and the API whose
//	             access tokens it asks the server about
//	worker.go    one of the operating system's processes that run the execute and refresh functions, each with caches of its own
//	world_test.go puts them together: the embedded AWS behind a socket, the other functions in this process, a connector
//	             folder, and people who connect through Behalf's own connect flow
//
// The simulator (integration/simulate) plays every schedule against a provider of our own making; this package plays few, and
// none of what answers is ours.
package storm
