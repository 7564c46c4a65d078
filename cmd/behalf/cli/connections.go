package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/client"
)

// Where the command finds its deployment. The key has no flag: other users of a machine see its command lines.
const envURL, defaultURL = "BEHALF_URL", "http://127.0.0.1:8787"

type connectionFlags struct {
	due, failing, json                   bool
	within                               time.Duration
	tenant, principal, connector, status string
	url                                  string
	limit                                int
}

func (e environment) connections() *cobra.Command {
	var f connectionFlags
	c := &cobra.Command{
		Use: "connections", Short: "List connections: what is due, what fails, a tenant's", Args: noArgs,
		Long: `Asks a deployment, with the API key in BEHALF_API_KEY (permission connections:read).

With --due it lists what the sweep would refresh now, of all tenants, the longest
overdue first; the key must not be limited to a tenant. A refresh that failed is due
again after a pause: --failing looks a quarter of an hour ahead and shows those only.
With --tenant it lists that tenant's connections. Both together list what is due of
that tenant.`,
		Example: "  behalf connections --due\n  behalf connections --due --failing --connector github\n  behalf connections --tenant acme --status reauthorization_required --json",
	}
	c.Flags().BoolVar(&f.due, "due", false, "what is due for a refresh")
	c.Flags().BoolVar(&f.failing, "failing", false, "only those whose last refresh failed; with --due it looks 15 minutes ahead")
	c.Flags().DurationVar(&f.within, "within", 0, "with --due: also what will be due within this time (1h)")
	c.Flags().StringVar(&f.tenant, "tenant", "", "only those of this tenant")
	c.Flags().StringVar(&f.principal, "principal", "", "only those of this principal")
	c.Flags().StringVar(&f.connector, "connector", "", "only those at this connector")
	c.Flags().StringVar(&f.status, "status", "", "only those in this status: pending, active, paused, reauthorization_required, revoked")
	c.Flags().IntVar(&f.limit, "limit", 100, "how many to list; 0 is all")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object per line")
	c.Flags().StringVar(&f.url, "url", "", "address of the API (default: "+envURL+", else "+defaultURL+")")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		api, err := e.api(cmp.Or(f.url, e.getenv(envURL), defaultURL), "connections:read")
		if err != nil {
			return err
		}
		return e.list(f, f.rows(cmd, api))
	}
	return c
}

func (f *connectionFlags) check() error {
	switch {
	case !f.due && f.tenant == "":
		return usage{errors.New("say --due, or name a tenant with --tenant")}
	case !f.due && f.within != 0:
		return usage{errors.New("--within goes with --due")}
	case f.within < 0 || f.limit < 0:
		return usage{errors.New("--within and --limit are not negative")}
	}
	if f.failing && f.within == 0 {
		f.within = 15 * time.Minute
	}
	return nil
}

// rows are what the flags leave, page by page.
func (f connectionFlags) rows(cmd *cobra.Command, api *client.Client) iter.Seq2[client.DueConnection, error] {
	all := api.AllDue(cmd.Context(), f.within)
	if !f.due {
		all = func(yield func(client.DueConnection, error) bool) {
			for c, err := range api.AllConnections(cmd.Context(), f.tenant, client.ConnectionFilter{Principal: f.principal, Connector: f.connector, Status: f.status}) {
				row := client.DueConnection{Connection: c}
				if c.Refresh != nil {
					row.DueAt = c.Refresh.DueAt
				}
				if !yield(row, err) {
					return
				}
			}
		}
	}
	return func(yield func(client.DueConnection, error) bool) {
		for row, err := range all {
			if (err != nil || f.keeps(row.Connection)) && !yield(row, err) {
				return
			}
		}
	}
}

func (f connectionFlags) keeps(c client.Connection) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	return same(f.tenant, c.Tenant) && same(f.principal, c.Principal) && same(f.connector, c.Connector) && same(f.status, c.Status) &&
		(!f.failing || c.Refresh != nil && c.Refresh.Fails > 0)
}

// list prints rows as they come, and says when there are more than it printed.
func (e environment) list(f connectionFlags, rows iter.Seq2[client.DueConnection, error]) error {
	table := tabwriter.NewWriter(e.stdout, 2, 4, 2, ' ', 0)
	print := func(row client.DueConnection) error { return json.NewEncoder(e.stdout).Encode(row) }
	if !f.json {
		_, _ = fmt.Fprintln(table, "DUE\tTENANT\tCONNECTION\tCONNECTOR\tSTATUS\tFAILS\tLAST ERROR\tNEXT TRY")
		print = func(row client.DueConnection) error { return writeRow(table, row, time.Now()) }
	}
	n := 0
	for row, err := range rows {
		if err == nil && f.limit > 0 && n == f.limit {
			_, _ = fmt.Fprintf(e.stderr, "There are more than these %d; --limit 0 lists all.\n", n)
			break
		}
		if err == nil {
			err = print(row)
		}
		if err != nil {
			return errors.Join(err, table.Flush())
		}
		if n++; n%1000 == 0 { // what is lined up is held in memory
			if err := table.Flush(); err != nil {
				return err
			}
		}
	}
	if f.json {
		return nil
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stderr, "%d connections.\n", n)
	return err
}

func writeRow(w io.Writer, row client.DueConnection, now time.Time) error {
	c, state := row.Connection, client.RefreshState{}
	if c.Refresh != nil {
		state = *c.Refresh
	}
	status := c.Status
	if c.Reason != "" {
		status += " (" + c.Reason + ")"
	}
	_, err := fmt.Fprintln(w, strings.Join([]string{when(row.DueAt, now), c.Tenant, c.ID, c.Connector, status, strconv.Itoa(state.Fails), dash(state.LastError), when(state.NextTryAt, now)}, "\t"))
	return err
}

// when is a moment as somebody at a terminal reads it.
func when(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	d := at.Sub(now)
	text := d.Abs().Round(time.Second).String()
	if d.Abs() >= time.Hour {
		text = strings.TrimSuffix(d.Abs().Round(time.Minute).String(), "0s")
	}
	if d < 0 {
		return text + " ago"
	}
	return "in " + text
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
