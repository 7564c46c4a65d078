package cli

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/fault"
)

func (e environment) tenants() *cobra.Command {
	c := &cobra.Command{
		Use: "tenants", Short: "List, create, change and delete tenants", Args: noArgs,
		Long: `A tenant is one customer. Its id is yours to choose (lower-case letters, digits and
hyphens, 2 to 63 characters) and is never used again after it was deleted.

Asks a deployment, with the API key in BEHALF_API_KEY: tenants:read to list and show,
tenants:write to put and delete. --url, or BEHALF_URL, names the deployment.`,
		Example: "  behalf tenants put acme --name 'Acme Corp' --return-url https://app.example.com/done\n  behalf tenants list\n  behalf tenants delete acme --confirm acme",
	}
	var url string
	c.PersistentFlags().StringVar(&url, "url", "", "address of the API (default: "+envURL+", else "+defaultURL+")")
	api := func(permission string) (*client.Client, error) {
		return e.api(cmp.Or(url, e.getenv(envURL), defaultURL), permission)
	}
	c.AddCommand(e.tenantsList(api), e.tenantsShow(api), e.tenantsPut(api), e.tenantsDelete(api))
	return c
}

// apiFor makes a client, or says that the key with this permission is missing.
type apiFor func(permission string) (*client.Client, error)

// oneTenant is the argument of commands about one tenant.
func oneTenant(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage{errors.New("name one tenant")}
	}
	return nil
}

func (e environment) tenantsList(api apiFor) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the ids of all tenants that the key reaches, one per line", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := api("tenants:read")
			if err != nil {
				return err
			}
			for t, err := range c.AllTenants(cmd.Context()) {
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintln(e.stdout, t); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (e environment) tenantsShow(api apiFor) *cobra.Command {
	return &cobra.Command{
		Use: "show TENANT", Short: "Print a tenant's settings as JSON", Args: oneTenant,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := api("tenants:read")
			if err != nil {
				return err
			}
			t, err := c.Tenant(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return e.printJSON(t)
		},
	}
}

type tenantFlags struct {
	name, mapping, accent, logo string
	returnURLs                  []string
	requireAssertion            bool
}

func (e environment) tenantsPut(api apiFor) *cobra.Command {
	var f tenantFlags
	c := &cobra.Command{
		Use: "put TENANT", Short: "Create a tenant, or change the settings that you name", Args: oneTenant,
		Long: `Creates the tenant if there is none. Settings without a flag stay as they are; to clear
one, give it empty (--logo '').`,
		Example: "  behalf tenants put acme --name 'Acme Corp'\n  behalf tenants put acme --principal-mapping userName --require-assertion\n  behalf tenants put acme --logo acme.png --accent '#0b5fff'",
	}
	c.Flags().StringVar(&f.name, "name", "", "shown to end users on the pages")
	c.Flags().StringVar(&f.mapping, "principal-mapping", "", "the SCIM attribute that is the principal: externalId, userName, primaryEmail")
	c.Flags().StringSliceVar(&f.returnURLs, "return-url", nil, "a return URL that connect links may name; repeat it for more")
	c.Flags().BoolVar(&f.requireAssertion, "require-assertion", false, "refuse sessions without the user's own signed assertion; needs an issuer")
	c.Flags().StringVar(&f.accent, "accent", "", "colour of buttons on the pages, #rrggbb")
	c.Flags().StringVar(&f.logo, "logo", "", "file with a PNG, JPEG or WebP image of at most 64 KiB")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := api("tenants:read and tenants:write")
		if err != nil {
			return err
		}
		now, err := c.Tenant(cmd.Context(), args[0])
		if err != nil && fault.From(err).Code != fault.NotFound {
			return err
		}
		s, err := f.over(cmd, now)
		if err != nil {
			return err
		}
		t, err := c.PutTenant(cmd.Context(), args[0], s)
		if err != nil {
			return err
		}
		return e.printJSON(t)
	}
	return c
}

// over are the settings of t with those replaced that the command line names.
func (f tenantFlags) over(cmd *cobra.Command, t client.Tenant) (client.TenantSettings, error) {
	s := client.TenantSettings{Name: t.Name, PrincipalMapping: t.PrincipalMapping, ReturnURLs: t.ReturnURLs, Logo: t.Logo, Accent: t.Accent}
	given := cmd.Flags().Changed
	for flag, field := range map[string]struct{ to, from *string }{
		"name": {&s.Name, &f.name}, "principal-mapping": {&s.PrincipalMapping, &f.mapping}, "accent": {&s.Accent, &f.accent},
	} {
		if given(flag) {
			*field.to = *field.from
		}
	}
	if given("return-url") {
		s.ReturnURLs = f.returnURLs
	}
	if given("require-assertion") {
		s.RequireAssertion = &f.requireAssertion
	}
	if !given("logo") {
		return s, nil
	}
	logo, err := dataURL(f.logo)
	s.Logo = logo
	return s, err
}

// dataURL is an image file as the API takes it (RFC 2397); empty for no file.
func dataURL(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return "data:" + http.DetectContentType(b) + ";base64," + base64.StdEncoding.EncodeToString(b), nil
}

func (e environment) tenantsDelete(api apiFor) *cobra.Command {
	var confirm string
	c := &cobra.Command{
		Use: "delete TENANT", Short: "Close a tenant for good: revoke everything, destroy its keys", Args: oneTenant,
		Long: `No execution of the tenant starts any more, the providers are told to revoke each
connection, and the keys are destroyed. There is no way back, and the id stays used.
Run it again while it says that keys wait for a provider.`,
		Example: "  behalf tenants delete acme --confirm acme",
	}
	c.Flags().StringVar(&confirm, "confirm", "", "the tenant's id, once more")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if confirm != args[0] {
			return usage{fmt.Errorf("this cannot be undone; add --confirm %s if you mean it", args[0])}
		}
		c, err := api("tenants:write")
		if err != nil {
			return err
		}
		done, err := c.DeleteTenant(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return e.tellDeleted(done)
	}
	return c
}

// tellDeleted prints what the providers answered. What is left to do is an error, for scripts to see.
func (e environment) tellDeleted(d client.DeletedTenant) error {
	table := tabwriter.NewWriter(e.stdout, 2, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "CONNECTION\tCONNECTOR\tAT THE PROVIDER")
	for _, c := range d.Connections {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", c.ID, c.Connector, provider(c.Revocation))
	}
	if len(d.Connections) > 0 {
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if !d.KeysDestroyed {
		return fmt.Errorf("%s is closed and nothing runs with its credentials, but a provider was not told yet and the keys wait for that: run this again in some minutes", d.Tenant)
	}
	_, err := fmt.Fprintf(e.stderr, "%s is deleted, its keys are destroyed. Point-in-time recovery keeps copies for up to 35 days.\n", d.Tenant)
	return err
}

func provider(r *client.Revocation) string {
	if r == nil {
		return "-"
	}
	return r.Provider
}

func (e environment) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s\n", b)
	return err
}
