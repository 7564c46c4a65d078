// Package notify is the function that tells the SaaS what happened, by signed webhooks.
//
// It has two callers. The webhook queue brings events, straight from the bus, and messages, which it makes of them: one per
// endpoint that wants the event. A message that fails stays in the queue, hidden until its next try; after the last one it goes to
// the dead-letter queue, from where it can be sent again. API Gateway brings the routes under /v1/webhooks: whoever makes a signing
// secret, keeps it sealed and signs by it is one function with one role, and no other function can open such a secret.
package notify
