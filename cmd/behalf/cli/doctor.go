package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/secret"
)

// finding is what one check found.
type finding struct {
	Check string `json:"check"`
	// Result is ok, warning, failed, or skipped when it could not be looked at.
	Result string `json:"result"`
	Found  string `json:"found"`
	// Do is what to do about it.
	Do string `json:"do,omitempty"`
}

const (
	resultOK      = "ok"
	resultWarning = "warning"
	resultFailed  = "failed"
	resultSkipped = "skipped"
)

func (e environment) doctor() *cobra.Command {
	var url string
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor", Short: "Check this machine and a deployment, and say what to do", Args: noArgs,
		Long: `Looks at what this machine needs to run and deploy Behalf, and, when --url or BEHALF_URL
names a deployment, at that: whether it answers, its signing keys, clocks, what is due for
a refresh, connectors and tools that are switched off, webhooks that fail.

It changes nothing. The API key in BEHALF_API_KEY should have connections:read,
webhooks:read and policy:read; what it may not see is skipped, and said.

Exit code 1 if something failed; warnings leave it 0.`,
		Example: "  behalf doctor\n  behalf doctor --url https://behalf.example.com\n  behalf doctor --json | jq 'select(.result!=\"ok\")'",
	}
	c.Flags().StringVar(&url, "url", "", "address of the API (default: "+envURL+"; without either only this machine is looked at)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per check")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		found := machineFindings(cmd.Context(), e.getenv)
		if at := cmp.Or(url, e.getenv(envURL)); at != "" {
			more, err := e.deploymentFindings(cmd.Context(), at)
			if err != nil {
				return err
			}
			found = append(found, more...)
		}
		return e.tellFindings(found, asJSON)
	}
	return c
}

func (e environment) deploymentFindings(ctx context.Context, url string) ([]finding, error) {
	clock := &dated{next: http.DefaultTransport}
	options := []client.Option{client.WithUserAgent("behalf-cli"), client.WithRetries(1, 0),
		client.WithHTTPClient(&http.Client{Transport: clock, Timeout: 15 * time.Second})}
	key := e.getenv("BEHALF_API_KEY")
	if key != "" {
		options = append(options, client.WithAPIKey(secret.FromString(key)))
	}
	c, err := client.New(url, options...)
	if err != nil {
		return nil, usage{err}
	}
	d := deployment{c, key != "", clock}
	answers := d.answers(ctx)
	found := []finding{answers}
	if answers.Result == resultFailed { // the rest would say the same again
		return found, nil
	}
	found = append(found, d.clocks(), d.signingKeys(ctx), d.surface(ctx))
	for _, check := range []func(context.Context) finding{d.refreshes, d.failing, d.switches, d.webhooks} {
		found = append(found, check(ctx))
	}
	return found, nil
}

// tellFindings prints what was found; an error when something failed, for scripts to see.
func (e environment) tellFindings(found []finding, asJSON bool) error {
	failed := 0
	for _, f := range found {
		if f.Result == resultFailed {
			failed++
		}
		if asJSON {
			if err := json.NewEncoder(e.stdout).Encode(f); err != nil {
				return err
			}
			continue
		}
		_, _ = fmt.Fprintf(e.stdout, "%s %-22s %s\n", e.mark(f.Result), f.Check, f.Found)
		if f.Do != "" {
			_, _ = fmt.Fprintf(e.stdout, "  %-22s → %s\n", "", f.Do)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(found))
	}
	return nil
}

// mark is one character wide, coloured at a terminal.
func (e environment) mark(result string) string {
	mark := map[string]string{resultOK: "✓", resultWarning: "!", resultFailed: "✗", resultSkipped: "-"}[result]
	colour := map[string]string{resultOK: "32", resultWarning: "33", resultFailed: "31", resultSkipped: "2"}[result]
	if !e.terminal(e.stdout) {
		return mark
	}
	return "\x1b[" + colour + "m" + mark + "\x1b[0m"
}
