// Package tenant names whose data is being touched: a tenant (one customer of the deploying SaaS) and a principal (a
// user of that customer, or the customer itself).
//
// Both become DynamoDB keys, KMS encryption context and STS session tags, and IAM policies compare them there as text.
// So a tenant id has a strict grammar, and a principal has one injective encoding into a character set that holds
// neither the key separator '#', nor an IAM wildcard, nor upper case (session tags fold case). There is no default: a
// missing identity is an error wherever it is parsed.
package tenant
