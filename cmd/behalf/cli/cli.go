package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Run executes the command line and returns the exit code: 0 done, 1 failed, 2 wrong usage.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	root := &cobra.Command{
		Use:   "behalf",
		Short: "The credential layer for AI agents",
		Long: `Behalf decides as whom an agent's tool call is made: it finds the right user's
credential for the right customer, keeps it fresh, calls the provider, and proves
afterwards who had authorised it.

Start here:
  behalf demo     see it do its job, on this machine, in under half a minute
  behalf dev      the same stack, kept running, to build against
  behalf doctor   what this machine or a deployment lacks, and what to do`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	e := environment{stdout, stderr, getenv}
	root.AddCommand(e.demo(), e.dev(), e.connectors(), e.connections(), e.tenants(), e.keys(), e.audit(), e.doctor())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "behalf: %v\n", err)
	var u usage
	if errors.As(err, &u) || strings.HasPrefix(err.Error(), "unknown command") {
		_, _ = fmt.Fprintln(stderr, "Run 'behalf --help' to see what there is.")
		return 2
	}
	return 1
}

// usage is a wrong command line.
type usage struct{ error }

// environment is what commands talk to.
type environment struct {
	stdout, stderr io.Writer
	getenv         func(string) string
}

// terminal reports that w is one, and that colour is wanted (https://no-color.org).
func (e environment) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || e.getenv("NO_COLOR") != "" {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage{fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}
