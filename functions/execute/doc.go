// Package execute is the agent plane: it lists the tools of a session and runs them.
//
// It holds no permission on any table or key. The credentials it works with come with each request, from the
// authorizer, and reach one principal of one tenant. It never refreshes a token: it asks the refresh function, which
// answers with a status.
package execute
