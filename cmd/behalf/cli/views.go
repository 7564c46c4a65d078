package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/client"
)

func (e environment) views() *cobra.Command {
	c := &cobra.Command{
		Use: "views", Short: "List, set and delete views of MCP, of a tenant or of all", Args: noArgs,
		Long: `A view is the part of the tools that agents of one role see at /mcp/NAME. It only
narrows what a session may call. Without --tenant it is every tenant's, save those
with a view of the same name.

Asks a deployment, with the API key in BEHALF_API_KEY: tenants:read to list,
tenants:write to put and delete. --url, or BEHALF_URL, names the deployment.`,
		Example: "  behalf views put support-read --effect read\n  behalf views put support-read --tenant acme --connector github --effect read\n  behalf views list --tenant acme",
	}
	var url, tenant string
	c.PersistentFlags().StringVar(&url, "url", "", "address of the API (default: "+envURL+", else "+defaultURL+")")
	c.PersistentFlags().StringVar(&tenant, "tenant", "", "the tenant; none for views that all tenants have")
	api := func(permission string) (*client.Client, error) {
		return e.api(cmp.Or(url, e.getenv(envURL), defaultURL), permission)
	}
	c.AddCommand(e.viewsList(api, &tenant), e.viewsPut(api, &tenant), e.viewsDelete(api, &tenant))
	return c
}

func oneView(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage{errors.New("name one view")}
	}
	return nil
}

func (e environment) viewsList(api apiFor, tenant *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List views by name, and what they hold", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := api("tenants:read")
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(e.stdout, 2, 4, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "VIEW\tCONNECTORS\tTOOLS\tEFFECTS")
			for p := (client.Page{}); ; {
				var page client.ViewPage
				if *tenant == "" {
					page, err = c.DeploymentViews(cmd.Context(), p)
				} else {
					page, err = c.Views(cmd.Context(), *tenant, p)
				}
				if err != nil {
					return err
				}
				for _, v := range page.Views {
					_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.Name, listed(v.Connectors), listed(v.Tools), listed(v.Effects))
				}
				if p.Cursor = page.Cursor; p.Cursor == "" {
					return table.Flush()
				}
			}
		},
	}
}

// listed is a list of what is let through; an empty one lets all.
func listed(list []string) string { return cmp.Or(strings.Join(list, ","), "any") }

func (e environment) viewsPut(api apiFor, tenant *string) *cobra.Command {
	var s client.ViewSettings
	c := &cobra.Command{Use: "put NAME", Short: "Make or replace a view", Args: oneView}
	c.Flags().StringSliceVar(&s.Connectors, "connector", nil, "tools of these connectors only")
	c.Flags().StringSliceVar(&s.Tools, "tool", nil, "these tools only")
	c.Flags().StringSliceVar(&s.Effects, "effect", nil, "tools of these effects only: read, write, destructive")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := api("tenants:write")
		if err != nil {
			return err
		}
		var v client.View
		if *tenant == "" {
			v, err = c.PutDeploymentView(cmd.Context(), args[0], s)
		} else {
			v, err = c.PutView(cmd.Context(), *tenant, args[0], s)
		}
		if err != nil {
			return err
		}
		return e.printJSON(v)
	}
	return c
}

func (e environment) viewsDelete(api apiFor, tenant *string) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Remove a view; calls through it are refused", Args: oneView,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := api("tenants:write")
			if err != nil {
				return err
			}
			if *tenant == "" {
				return c.DeleteDeploymentView(cmd.Context(), args[0])
			}
			return c.DeleteView(cmd.Context(), *tenant, args[0])
		},
	}
}
