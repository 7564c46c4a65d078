package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/client"
)

func (e environment) auditList() *cobra.Command {
	var f client.AuditFilter
	var url string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use: "list TENANT", Short: "Show what was done for a tenant, newest first", Args: oneTenant,
		Long: `Says when, what, for whom, by which agent, how it called and with what software, and
how it ended. What the software calls itself is its own word.

Asks a deployment, with the API key in BEHALF_API_KEY (audit:read). --url, or
BEHALF_URL, names the deployment. Looks back 30 days.`,
		Example: "  behalf audit list acme --principal user_alice\n  behalf audit list acme --kind execution.refused --limit 200\n  behalf audit list acme --run run-42 --json",
	}
	c.Flags().StringVar(&url, "url", "", "address of the API (default: "+envURL+", else "+defaultURL+")")
	c.Flags().StringVar(&f.Principal, "principal", "", "of one principal")
	c.Flags().StringVar(&f.Connection, "connection", "", "about one connection")
	c.Flags().StringVar(&f.Tool, "tool", "", "of one tool")
	c.Flags().StringVar(&f.Run, "run", "", "of one run")
	c.Flags().StringVar(&f.Kind, "kind", "", "of one kind, as execution.outcome")
	c.Flags().IntVar(&limit, "limit", 50, "at most so many records")
	c.Flags().BoolVar(&asJSON, "json", false, "whole records as JSON, one per line")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := e.api(cmp.Or(url, e.getenv(envURL), defaultURL), "audit:read")
		if err != nil {
			return err
		}
		var found []client.AuditRecord
		for r, err := range api.AllAudit(cmd.Context(), args[0], f) {
			if err != nil {
				return err
			}
			if found = append(found, r); len(found) >= limit {
				break
			}
		}
		return e.printRecords(found, asJSON)
	}
	return c
}

func (e environment) printRecords(records []client.AuditRecord, asJSON bool) error {
	if asJSON {
		for _, r := range records {
			b, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(e.stdout, "%s\n", b); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(e.stdout, 2, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tKIND\tPRINCIPAL\tAGENT\tOVER\tCLIENT\tWHAT\tENDED")
	for _, r := range records {
		over := string(r.Channel)
		if r.View != "" {
			over += "/" + r.View
		}
		ended := strings.Join(strings.Fields(r.Outcome+" "+r.Code+" "+r.Reason), " ")
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Time.UTC().Format(time.RFC3339), r.Kind, cell(r.Principal), cell(r.Agent), cell(over), cell(r.Client),
			cell(cmp.Or(r.Tool, r.Connector)), cell(ended))
	}
	return table.Flush()
}

// cell is a value for a terminal: principals and agents are texts of somebody else's.
func cell(s string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
	return cmp.Or(plain, "-")
}
