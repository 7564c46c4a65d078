// Package memory keeps everything in this process: the store of the fault simulator and of unit tests, and of nothing
// else. The local stack runs on package dynamo, over an embedded DynamoDB.
//
// It has the methods of dynamo.DB and passes the same suite (package storetest), so what a test proves about a service
// over memory holds over DynamoDB. Records are kept as JSON documents with a version, as there: what encoding loses is
// lost here too, and no caller shares memory with the store.
//
// Store.Fault stands before and behind each access. A simulator decides there who goes next, and what fails: an error
// before means that nothing happened, one after that it happened and nobody knows.
package memory
