package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/env"
)

func (e environment) connectors() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "connectors", Short: "List connectors, and check your own", Args: noArgs,
		Long: `Lists the connectors that ship with Behalf and, with --connectors, those of your
own folder, after checking every manifest and every tool in them. A fault is named
with its file and line. connectors/README.md tells how to write one.`,
		Example: "  behalf connectors\n  behalf connectors --connectors ./my-connectors",
	}
	c.Flags().StringVar(&dir, "connectors", "", "directory with connector folders of your own")
	c.RunE = func(*cobra.Command, []string) error {
		cat, err := connectors.FromEnv(env.FromMap(map[string]string{env.ConnectorsDir: dir}))
		if err != nil {
			return err
		}
		if err := cat.Verify(); err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.stdout, 2, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "CONNECTOR\tNAME\tTOOLS\tROTATION\tDOCS")
		for _, k := range cat.Connectors() {
			tools, err := k.Tools()
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", k.ID, k.Name, len(tools), k.Rotation.Class, k.DocsURL)
		}
		return w.Flush()
	}
	return c
}
