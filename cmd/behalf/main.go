// Command behalf runs Behalf on this machine and operates a deployed one. `behalf --help` teaches the rest.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"behalf.dev/behalf/cmd/behalf/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}
