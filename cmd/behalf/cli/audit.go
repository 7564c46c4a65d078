package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/audit"
)

func (e environment) audit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Read an audit trail; verify it offline", Args: noArgs}
	var grace time.Duration
	v := &cobra.Command{
		Use: "verify FILE|DIR [DIR]", Short: "Recompute the hash chain of an exported trail",
		Long: `Reads what GET /v1/tenants/{tenant}/audit?include=segments answered (one or more
pages, one JSON document after the other; - reads standard input) and recomputes the
chain. Names every record that was changed, removed or inserted. Needs no network and
no key. Exit code 0 only if the trail is intact.

DIR holds the tenant's segments as downloaded from the audit bucket. Behind a FILE they
are what the export is held against: a chain that was rebuilt in the table fits in
itself, but not its copies. Alone they are checked as a chain without records.`,
		Example: `  curl -s "$B/v1/tenants/acme/audit?limit=1000&include=segments" -H "$K" > trail.json
  behalf audit verify trail.json
  aws s3 sync s3://$BUCKET/segments/acme acme && behalf audit verify trail.json acme`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usage{errors.New("audit verify takes a file, or - for standard input, and optionally a directory of segments")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return e.verify(args, grace) },
	}
	v.Flags().DurationVar(&grace, "grace", 5*time.Minute, "records younger than this may be unsealed")
	c.AddCommand(v, e.auditList())
	return c
}

func (e environment) verify(args []string, grace time.Duration) error {
	rep, err := report(args, grace)
	if err != nil {
		return err
	}
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

// report reads and verifies what the arguments name.
func report(args []string, grace time.Duration) (audit.Report, error) {
	if info, err := os.Stat(args[0]); len(args) == 1 && err == nil && info.IsDir() {
		kept, err := keptSegments(args[0])
		return audit.VerifySegments(kept), err
	}
	records, segments, err := exported(args[0])
	if err != nil {
		return audit.Report{}, err
	}
	if len(args) == 1 {
		return audit.Verify(records, segments, time.Now(), grace), nil
	}
	kept, err := keptSegments(args[1])
	return audit.VerifyKept(records, segments, kept, time.Now(), grace), err
}

// exported reads the pages of an export.
func exported(file string) (records []audit.Record, segments []audit.Segment, err error) {
	var in io.Reader = os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	d := json.NewDecoder(in)
	for {
		var page struct {
			Records  []audit.Record
			Segments []audit.Segment
		}
		if err := d.Decode(&page); errors.Is(err, io.EOF) {
			return records, segments, nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("%s is not an exported trail: %w", file, err)
		}
		records = append(records, page.Records...)
		if segments == nil { // the first page's: later ones may seal records newer than the first page
			segments = page.Segments
		}
	}
}

// keptSegments reads the segments of one tenant, downloaded from the bucket. Their names sort by number.
func keptSegments(dir string) ([]audit.Segment, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s holds no segments: download segments/<tenant>/ of the audit bucket into it", dir)
	}
	slices.Sort(files)
	out := make([]audit.Segment, len(files))
	for i, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &out[i]); err != nil {
			return nil, fmt.Errorf("%s is not a segment: %w", f, err)
		}
	}
	return out, nil
}
