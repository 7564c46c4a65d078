// Package endpoint is the account behind AWS_ENDPOINT_URL: LocalStack, or anything else that speaks the AWS protocols.
//
// The local stack runs Behalf's functions in its own process and normally gives them the embedded AWS. With an endpoint it
// gives them this package instead, which does over HTTP what CloudFormation and Lambda do in a deployment:
//
//	Choose      tells whether there is an endpoint, and refuses real AWS
//	Open        creates what the code needs and does not find: tables of dynamo.Schema, keys, queues, the event bus and its rules
//	Config      the SDK configuration of a function; its Lambda Invoke calls stay in this process
//	Start       feeds functions from queues, table streams and the schedule, by polling
//	Drain       waits until nothing is left to deliver
//
// The synthesised templates stay the source of names, attributes and function environments: they are loaded into a
// throw-away embedded account, read back from there, and the ARNs and URLs of that account are exchanged for those of the
// endpoint. IAM is the endpoint's affair: LocalStack without a licence enforces none and lets any role be assumed, whether
// it exists or not, so what isolates tenants there is the code alone. Where IAM is enforced the roles must exist already.
package endpoint
