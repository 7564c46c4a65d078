package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/cmd/behalf/demo"
	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/integration/stack/endpoint"
)

func (e environment) demo() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "demo", Short: "Show Behalf doing its job, end to end, on this machine", Args: noArgs,
		Long: `Starts the whole stack in this process and tells its story by doing it: two
customers, three people, three providers, connect, execute, isolation, refresh
under load, offboarding, audit. No Docker, no AWS account, no vendor account.

Each step is checked against somebody other than Behalf: the provider emulator's
own log, the IAM policies of the (embedded) account, a recomputed hash chain.
The exit code is 0 only if every step was observed to hold.`,
		Example: "  behalf demo\n  behalf demo --json | tail -1 | jq .ok",
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one machine-readable line at the end")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, w := cmd.Context(), e.stdout
		if asJSON {
			w = e.stderr
		}
		at, err := endpoint.Choose(e.getenv)
		if err != nil {
			return err
		}
		account := "an embedded AWS account; nothing leaves this machine"
		if at != "" {
			account = "the account at " + at
		}
		_, _ = fmt.Fprintf(w, "Behalf demo: all functions in this process, on %s.\n", account)
		began := time.Now()
		s, err := stack.Start(ctx, stack.Options{Endpoint: at, Getenv: e.getenv})
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(w, "Stack ready at %s after %d ms: 8 functions, 4 tables, roles and policies of the synthesised CDK templates.\n", s.URL, time.Since(began).Milliseconds())
		sum, err := demo.Run(ctx, s, w, e.terminal(w))
		if cerr := s.Close(); err == nil {
			err = cerr
		}
		e.finish(w, sum)
		if asJSON {
			b, merr := json.Marshal(sum)
			if merr != nil {
				return merr
			}
			_, _ = fmt.Fprintf(e.stdout, "%s\n", b)
		}
		return err
	}
	return c
}

func (e environment) finish(w io.Writer, sum demo.Summary) {
	if !sum.OK {
		_, _ = fmt.Fprintf(w, "\nThe demo stopped: %s\n", sum.Error)
		return
	}
	_, _ = fmt.Fprintf(w, "\nAll %d steps observed, in %.1f s.\n\nNext: `go run ./cmd/behalf dev` keeps the stack running for you to build against.\n", len(sum.Steps), float64(sum.DurationMS)/1000)
}
