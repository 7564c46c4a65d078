// Package template holds the synthesised CloudFormation templates of stage "local", one file for each stack.
//
// They are written by the CDK app (see package main in infra) and never by hand; a test of that module fails when they are
// stale. They are committed so that the local stack can enforce the very policies that are deployed, and the policy tests can
// judge them, without paying for CDK.
package template
