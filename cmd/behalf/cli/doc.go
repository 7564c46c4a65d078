// Package cli is the behalf command: what it offers, its flags and its help.
package cli
