package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/secret"
)

// oauthClientFlags say whose client a command is about.
type oauthClientFlags struct{ url, connector, tenant string }

func (e environment) oauthClients() *cobra.Command {
	var f oauthClientFlags
	c := &cobra.Command{
		Use: "oauth-clients", Short: "Store, show and delete the OAuth clients that connectors use", Args: noArgs,
		Long: `An OAuth client is what a provider registered for you: an id, and a secret or a
private key. Without --tenant it is the deployment's, which every tenant uses that
has none of its own.

Asks a deployment, with the API key in BEHALF_API_KEY (permission clients:write, or
clients:read to show). --url, or BEHALF_URL, names the deployment.`,
		Example: "  behalf oauth-clients put --connector github --client-id Iv23li… --secret-file github.secret\n" +
			"  behalf oauth-clients put --connector github-app --client-id Iv23li… --private-key-file app.pem\n" +
			"  pass show acme/app | behalf oauth-clients put --connector github-app --tenant acme --client-id Iv23li… --private-key-file - --param installation_id=41234567",
	}
	c.PersistentFlags().StringVar(&f.url, "url", "", "address of the API (default: "+envURL+", else "+defaultURL+")")
	c.PersistentFlags().StringVar(&f.connector, "connector", "", "which connector's client")
	c.PersistentFlags().StringVar(&f.tenant, "tenant", "", "the client of this tenant, in place of the deployment's")
	c.AddCommand(e.oauthClientsPut(&f), e.oauthClientsShow(&f), e.oauthClientsDelete(&f))
	return c
}

// open checks what all of these commands need.
func (f *oauthClientFlags) open(e environment, permission string) (*client.Client, error) {
	if f.connector == "" {
		return nil, usage{errors.New("--connector is missing; behalf connectors lists them")}
	}
	return e.api(cmp.Or(f.url, e.getenv(envURL), defaultURL), permission)
}

func (e environment) oauthClientsPut(f *oauthClientFlags) *cobra.Command {
	var id, secretFile, keyFile string
	var params map[string]string
	c := &cobra.Command{
		Use: "put", Short: "Store an OAuth client, and print what to register at the provider", Args: noArgs,
		Long: `Stores an OAuth client, or replaces the one that is there. The secret and the private
key are read from files, or from the standard input ("-"): other users of a machine
see its command lines. They are sealed on arrival and never shown again.`,
	}
	c.Flags().StringVar(&id, "client-id", "", "the client's id at the provider")
	c.Flags().StringVar(&secretFile, "secret-file", "", `file with the client's secret; "-" reads the standard input`)
	c.Flags().StringVar(&keyFile, "private-key-file", "", `file with the private key, as PEM, of a client that signs; "-" reads the standard input`)
	c.Flags().StringToStringVar(&params, "param", nil, "name=value: a field that is the same for every account connected with this client (repeat it)")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case id == "":
			return usage{errors.New("--client-id is missing; the provider shows it where the OAuth app is registered")}
		case secretFile != "" && keyFile != "":
			return usage{errors.New("a client has a secret or a private key: give --secret-file or --private-key-file")}
		}
		api, err := f.open(e, "clients:write")
		if err != nil {
			return err
		}
		in := client.OAuthClientSettings{ClientID: id, Params: params}
		if in.ClientSecret, err = credentialFile(cmd.InOrStdin(), secretFile); err != nil {
			return err
		}
		if in.PrivateKey, err = credentialFile(cmd.InOrStdin(), keyFile); err != nil {
			return err
		}
		var made client.OAuthClient
		if f.tenant == "" {
			made, err = api.PutOAuthClient(cmd.Context(), f.connector, in)
		} else {
			made, err = api.PutTenantOAuthClient(cmd.Context(), f.tenant, f.connector, in)
		}
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(e.stderr, "Stored. Register this redirect URI at the provider, exactly as it is:")
		_, err = fmt.Fprintln(e.stdout, made.RedirectURI)
		return err
	}
	return c
}

// maxCredential is more than any secret or key has, in bytes.
const maxCredential = 64 << 10

// credentialFile reads a secret. Editors end files with a line break that is not part of it.
func credentialFile(stdin io.Reader, name string) (secret.Text, error) {
	if name == "" {
		return secret.Text{}, nil
	}
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return secret.Text{}, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxCredential+1))
	switch {
	case err != nil:
		return secret.Text{}, fmt.Errorf("read %s: %w", name, err)
	case len(b) > maxCredential:
		return secret.Text{}, fmt.Errorf("%s has more than %d bytes; that is no secret", name, maxCredential)
	}
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return secret.Text{}, fmt.Errorf("%s is empty", name)
	}
	return secret.New(b), nil
}

func (e environment) oauthClientsShow(f *oauthClientFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show an OAuth client, without what it proves itself with", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := f.open(e, "clients:read")
			if err != nil {
				return err
			}
			var c client.OAuthClient
			if f.tenant == "" {
				c, err = api.OAuthClient(cmd.Context(), f.connector)
			} else {
				c, err = api.TenantOAuthClient(cmd.Context(), f.tenant, f.connector)
			}
			if err != nil {
				return err
			}
			out := json.NewEncoder(e.stdout)
			out.SetIndent("", "  ")
			return out.Encode(c)
		},
	}
}

func (e environment) oauthClientsDelete(f *oauthClientFlags) *cobra.Command {
	var confirm string
	c := &cobra.Command{
		Use: "delete", Short: "Delete an OAuth client; connections made with it can no longer be refreshed", Args: noArgs,
	}
	c.Flags().StringVar(&confirm, "confirm", "", "the connector's name once more")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := f.open(e, "clients:write")
		if err != nil {
			return err
		}
		if confirm != f.connector {
			return usage{fmt.Errorf("connections made with this client can no longer be refreshed; say --confirm %s", f.connector)}
		}
		if f.tenant == "" {
			return api.DeleteOAuthClient(cmd.Context(), f.connector)
		}
		return api.DeleteTenantOAuthClient(cmd.Context(), f.tenant, f.connector)
	}
	return c
}
