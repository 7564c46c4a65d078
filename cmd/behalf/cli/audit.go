package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/audit"
)

func (e environment) audit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Verify an audit trail offline", Args: noArgs}
	var grace time.Duration
	v := &cobra.Command{
		Use: "verify FILE", Short: "Recompute the hash chain of an exported trail",
		Long: `Reads what GET /v1/tenants/{tenant}/audit?include=segments answered (one or more
pages, one JSON document after the other; - reads standard input) and recomputes the
chain. Names every record that was changed, removed or inserted. Needs no network and
no key. Exit code 0 only if the trail is intact.`,
		Example: "  curl -s \"$B/v1/tenants/acme/audit?limit=1000&include=segments\" -H \"$K\" | behalf audit verify -",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{errors.New("audit verify takes one file, or - for standard input")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return e.verify(args[0], grace) },
	}
	v.Flags().DurationVar(&grace, "grace", 5*time.Minute, "records younger than this may be unsealed")
	c.AddCommand(v)
	return c
}

func (e environment) verify(file string, grace time.Duration) error {
	var in io.Reader = os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	var records []audit.Record
	var segments []audit.Segment
	d := json.NewDecoder(in)
	for {
		var page struct {
			Records  []audit.Record
			Segments []audit.Segment
		}
		if err := d.Decode(&page); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("%s is not an exported trail: %w", file, err)
		}
		records = append(records, page.Records...)
		if segments == nil { // the first page's: later ones may seal records newer than the first page
			segments = page.Segments
		}
	}
	rep := audit.Verify(records, segments, time.Now(), grace)
	b, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(e.stdout, "%s\n", b)
	if !rep.OK() {
		return fmt.Errorf("the trail was tampered with, or is incomplete: %d problems", len(rep.Problems))
	}
	return nil
}
