package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

func (e environment) keys() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "Make the first API key of a deployment; renew tenant keys", Args: noArgs,
		Long: `Two kinds of key: API keys, by which your back end calls (create), and the keys that
tenants' secrets are sealed under (rotate).`}
	c.AddCommand(e.keysCreate(), e.keysRotate())
	return c
}

type keyFlags struct {
	stage, name string
	permissions []string
	aws         bool
}

func (e environment) keysCreate() *cobra.Command {
	var f keyFlags
	c := &cobra.Command{
		Use: "create", Short: "Make an API key with your own AWS credentials, and print it once", Args: noArgs,
		Long: `Writes a key straight into the deployment's directory table, with the credentials
that the AWS CLI would use. Every later key is better made by POST /v1/api-keys, whose
caller is on record. The key is printed once; only its SHA-256 is stored.`,
		Example: "  behalf keys create --aws --stage prod --name bootstrap\n  behalf keys create --aws --stage prod --name ci --permission sessions:write",
	}
	c.Flags().StringVar(&f.stage, "stage", "", "deployment stage, as in `cdk deploy -c stage=…`")
	c.Flags().StringVar(&f.name, "name", "", "what the key is for")
	c.Flags().StringSliceVar(&f.permissions, "permission", []string{"*"}, "what the key may do, of: "+strings.Join(authn.Permissions(), ", "))
	c.Flags().BoolVar(&f.aws, "aws", false, "confirm that this may use your AWS account")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		db, err := dynamo.Open(cmd.Context(), f.stage, time.Now)
		if err != nil {
			return err
		}
		k, text := authn.NewKey(ident.NewSource(nil, nil), authn.APIKey, tenant.Deployment, f.name, f.permissions, time.Now())
		if err := db.PutKeyRecord(cmd.Context(), k); err != nil {
			return fmt.Errorf("store the key in behalf-%s-directory (is the stage deployed, and are these its account's credentials?): %w", f.stage, err)
		}
		_, _ = fmt.Fprintf(e.stderr, "API key %s, shown once:\n", k.ID)
		_, _ = fmt.Fprintf(e.stdout, "%s\n", text.Reveal(reveal.Key{}))
		return nil
	}
	return c
}

func (f keyFlags) check() error {
	switch {
	case !f.aws:
		return usage{errors.New("this writes to your AWS account; say so with --aws")}
	case f.stage == "":
		return usage{errors.New("--stage is missing")}
	case f.name == "":
		return usage{errors.New("--name is missing: it says what the key is for")}
	}
	for _, p := range f.permissions {
		if p != "*" && !slices.Contains(authn.Permissions(), p) {
			return usage{fmt.Errorf("unknown permission %q; known are %s", p, strings.Join(authn.Permissions(), ", "))}
		}
	}
	return nil
}
