// Package notify brings published events to the endpoints that asked for them, as signed webhooks.
//
// An event becomes one message per endpoint that wants it (Select), so that each endpoint has its own retries and none waits for
// another. A message is tried (Deliver): its body is signed with the endpoint's secret and posted through the egress guard; a 2xx
// answer ends it. After a failure it comes again at fixed distances from its first try, for three days (see Delays), under
// the same id. Then the owner of the queue is told to put it aside. An endpoint at which nothing succeeded for five days, or that
// answers 410, is disabled, with a record and an event; a successful test enables it again.
//
// A secret is shown once and sealed under purpose wh, which no other role can open. What happened at each try is kept in a short
// trail beside the endpoint, without bodies.
package notify
