// Package localaws is the AWS of Behalf's local stack: one http.Handler with exactly the
// operations that Behalf uses, in process, with IAM enforced on every call. Everything else
// answers UnknownOperationException with status 501.
//
// A call travels: route (which service and operation) → Counter → Faults → authentication by
// access key → the service names the permissions the call needs → iam decides → the service
// runs → the answer is written in the protocol of the service. The services live in
// sub-packages and know nothing of HTTP: ddb, kms, sqs, eventbridge, iam (with STS).
//
// LoadTemplates creates tables, keys, queues, buses, roles and functions from synthesised
// CloudFormation, so the policies enforced locally are the ones that are deployed. Functions
// are Go callbacks (HandleFunction); Start runs the event sources that feed them and Drain
// waits until nothing is left to deliver, so tests need not sleep.
//
// It exists because the isolation of tenants rests on IAM and KMS conditions, which no other
// emulator enforces, and because tests need faults, lag and a clock that they control.
package localaws
