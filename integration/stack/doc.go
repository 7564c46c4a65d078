// Package stack runs all of Behalf in one process behind one port: `behalf dev`, `behalf demo` and the end-to-end tests.
//
// Nothing in it stands in for a function. Each one is wired by its own New and invoked through lambda.NewHandler with the
// events that AWS would send; gateway.go plays API Gateway (routes, authorizer, authorizer cache), package localaws plays
// the account. That account is made from the synthesised CloudFormation templates in template/, so tables, keys, roles
// and policies are the ones that are deployed: what the local stack refuses, the deployed policy refuses. Provider
// emulators run beside it under /emulator, and each connector is pointed at them by host override.
//
// With Options.Endpoint package endpoint takes the place of localaws: the same functions in the same process, their AWS calls
// going to LocalStack. With Options.Launch the functions themselves run elsewhere, as binaries under package runtimeapi.
package stack
