// Package env reads a function's configuration from its environment, once, at start.
//
// Every variable name is declared here and nowhere else; the CDK app sets exactly the ones that a function's config.go
// asks for, and a test compares the two. A missing variable fails the start with all missing names at once.
package env
