package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/audit"
)

type trail struct {
	Records  []audit.Record  `json:"records"`
	Segments []audit.Segment `json:"segments"`
	Cursor   string          `json:"cursor"`
}

// export reads a tenant's whole trail, page by page.
func (s *story) export(ctx context.Context, tenant string) (trail, error) {
	var all trail
	cursor := ""
	for {
		var page trail
		path := "/v1/tenants/" + tenant + "/audit?limit=1000&include=segments"
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		if err := s.admin.must(ctx, "GET", path, nil, &page); err != nil {
			return all, err
		}
		all.Records = append(all.Records, page.Records...)
		if cursor == "" { // later pages' chains may seal records newer than the first page
			all.Segments = page.Segments
		}
		if cursor = page.Cursor; cursor == "" {
			return all, nil
		}
	}
}

// audit recomputes both chains, counts executions, and checks that tampering would be seen.
func (s *story) audit(ctx context.Context) error {
	if err := s.stack.Drain(ctx); err != nil {
		return err
	}
	begun, refused := 0, 0
	for _, t := range []string{"acme", "globex"} {
		tr, err := s.export(ctx, t)
		if err != nil {
			return err
		}
		rep := audit.Verify(tr.Records, tr.Segments, time.Now(), time.Minute)
		if !rep.OK() || rep.Unsealed > 0 || rep.Records == 0 {
			return fmt.Errorf("the chain of %s does not hold: %+v", t, rep)
		}
		i, r, err := pair(tr.Records)
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		begun, refused = begun+i, refused+r
		s.saw(t, map[string]any{"records": rep.Records, "segments": rep.Segments, "head": rep.Head}, "%s: %d records in %d segments, chain recomputed, head %s…", t, rep.Records, rep.Segments, rep.Head[:16])
		tr.Records[0].Principal = "user_mallory"
		if audit.Verify(tr.Records, tr.Segments, time.Now(), time.Minute).OK() {
			return errors.New("a changed record went unnoticed")
		}
	}
	if begun+refused != s.executions {
		return fmt.Errorf("%d executions were made and %d are on record", s.executions, begun+refused)
	}
	s.saw("executions", begun, "each of %d executions has its intent and its outcome; %d refusals are on record too", begun, refused)
	s.saw("tamper", "detected", "changing one name in one record is detected")
	return nil
}

// pair checks that each intent has exactly one outcome, and that both say who, by what right and for which run.
func pair(records []audit.Record) (executions, refused int, err error) {
	outcomes := map[string]int{}
	for _, r := range records {
		switch r.Kind {
		case audit.ExecutionOutcome:
			outcomes[r.Execution]++
		case audit.ExecutionRefused:
			refused++
		}
	}
	for _, r := range records {
		if r.Kind != audit.ExecutionIntent {
			continue
		}
		executions++
		if outcomes[r.Execution] != 1 {
			return 0, 0, fmt.Errorf("execution %s has %d outcomes", r.Execution, outcomes[r.Execution])
		}
		if r.Principal == "" || r.Connection == "" || r.Grant == "" || len(r.Scopes) == 0 || r.Session == "" || r.Agent == "" || r.Run == "" {
			return 0, 0, fmt.Errorf("the record of execution %s is incomplete: %+v", r.Execution, r)
		}
	}
	return executions, refused, nil
}
