// Package storetest says in executable form what the services need from a store. The DynamoDB store and the one in
// memory run the same suite, so that what is proven over memory says something about production.
//
// It has three tiers. Records: what is written comes back, in order, in pages, to nobody else. ConditionalWrites: a write
// that must lose does, and leaves no trace. Contention: the same with a hundred writers at once.
package storetest
