// Package events is the contract of what Behalf publishes and of the work its functions hand to each other.
//
// Published events go to the EventBridge bus with source "behalf"; the detail type is a Type, the detail one of the structs of
// events.go. Webhooks carry the same detail. A reader ignores fields and types that it does not know, because those may be
// added; anything else that changed would make a new Version. testdata holds one example of each type, and a test compares.
// No event carries a credential, nor anything about a person beyond the ids that the SaaS itself chose.
//
// Messages between functions are in work.go. They are no contract with anybody outside: both ends are deployed together.
package events
