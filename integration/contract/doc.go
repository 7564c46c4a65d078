// Package contract says what Behalf relies on in AWS, as tests that run unchanged against any
// endpoint: the embedded AWS (in process and over HTTP), DynamoDB Local, or a real account.
//
// Each function takes the SDK configuration of the endpoint and registers subtests. The
// differential test of this package goes further for DynamoDB: thousands of random operations
// are sent to the embedded one and to DynamoDB Local, and every answer is compared.
package contract
