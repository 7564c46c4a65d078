// Package scimtest checks implementations of the stores that package scim declares, and offers in-memory ones.
//
// RunStore and RunGroupStore are the contract in executable form: the in-memory stores and the DynamoDB store run the
// same suite, so the tests of the Service, which use memory, say something about production.
package scimtest
