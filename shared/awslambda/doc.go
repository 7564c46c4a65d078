// Package awslambda is what every function has in common: its start, its logs, and calling another function.
//
// A function's package has a New(Deps) that wires it; its lambda/main.go only hands that to Main. The local stack calls
// the same New with the embedded AWS in place of the real one, so there is one wiring.
package awslambda
