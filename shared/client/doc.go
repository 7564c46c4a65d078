// Package client calls a Behalf deployment from Go: a Client for the back end of a SaaS, with an API key, and a Session
// for one agent run, with a session token.
//
//	c, err := client.New("https://behalf.example.com", client.WithAPIKey(key))
//	s, err := c.CreateSession(ctx, client.SessionRequest{Tenant: "acme", Principal: "user_alice", Agent: "triage-bot"})
//	res, err := c.Session(s.Token).Execute(ctx, client.Call{Tool: "github_list_issues", Input: input})
//
// A refusal of the API is a *fault.Error with code, field, retry time and details, as the problem document had them;
// branch with fault.Is. An error without one never reached the API: the network, or the context. The exception is a
// call that was sent and got no answer: that is fault.OutcomeUnknown, because it may have been carried out.
//
// Credentials are secret.Text, and neither they nor the secrets that some paths hold appear in an error. The package
// logs nothing. Only GET requests are repeated, on 429 and 503, and only when the answer says after how long.
package client
