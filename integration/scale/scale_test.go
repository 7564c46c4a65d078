package scale_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/scale"
)

const paper = "../../docs/decisions/0023-ten-million-connections.md"

var write = flag.Bool("write", false, "write "+paper)

// fleet is ten million connections of which a share is in use.
func fleet(used float64) scale.Fleet {
	return scale.Fleet{Connections: 10_000_000, Every: 51 * time.Minute, KeepAlive: 7 * 24 * time.Hour, Used: used, Took: 800 * time.Millisecond}
}

// counted is what one connector was seen to need.
type counted struct {
	name string
	scale.Refresh
	scale.Message
}

func TestPaper_SaysWhatWasCounted(t *testing.T) {
	var all []counted
	for _, x := range []struct {
		name, provider string
		life           time.Duration
	}{{"GitHub (strict)", "github", 8 * time.Hour}, {"Slack (strict)", "slack", 12 * time.Hour}, {"Salesforce (static, introspected)", "salesforce", 2 * time.Hour}} {
		r, m := count(t, x.provider, x.life)
		all = append(all, counted{x.name, r, m})
	}
	text := tables(all, countSealing(t))
	b, err := os.ReadFile(paper)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), "<!-- counted -->\n")
	now, after, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 {
		t.Fatal("the paper has no place for the tables")
	}
	if now == text {
		return
	}
	if !*write {
		t.Fatalf("the paper says\n%s\ncounted was\n%s\nrun: go test ./integration/scale -args -write", now, text)
	}
	if err := os.WriteFile(paper, []byte(before+"<!-- counted -->\n"+text+"<!-- end -->"+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tables are the paper's: what a refresh needs, and what ten million connections do.
func tables(all []counted, s scale.Sealing) string {
	var b strings.Builder
	row := func(cells ...any) {
		_, _ = fmt.Fprint(&b, "|")
		for _, c := range cells {
			_, _ = fmt.Fprintf(&b, " %v |", c)
		}
		b.WriteString("\n")
	}
	row("one refresh", all[0].name, all[1].name, all[2].name)
	row("---", "---", "---", "---")
	each := func(name string, f func(c counted) any) { row(name, f(all[0]), f(all[1]), f(all[2])) }
	each("strong reads", func(c counted) any { return c.Reads })
	each("writes: connection, slot, audit", func(c counted) any { return fmt.Sprintf("%d, 1, 1", c.ConnectionWrites) })
	each("KB begun by each item", func(c counted) any {
		return fmt.Sprintf("%d, %d, %d", kb(c.ConnectionBytes), kb(c.SlotBytes), kb(c.AuditBytes))
	})
	each("writes of the due index", func(c counted) any { return c.IndexWrites() })
	each("write units", func(c counted) any { return c.WriteUnits() })
	each("sealing its audit record alone: reads, write units, objects", func(counted) any { return fmt.Sprintf("%d, %d, %d", s.Reads, s.WriteUnits, s.Objects) })
	each("per message: KMS, STS", func(c counted) any { return fmt.Sprintf("%d, %d", c.Decrypts, c.Sessions) })
	b.WriteString("\n")
	strict, asked := all[0], all[2]
	type column struct {
		f scale.Fleet
		c counted
	}
	columns := []column{{fleet(1), strict}, {fleet(0.1), strict}, {fleet(1), asked}}
	row("ten million connections", "strict, all in use", "strict, 10 % in use", "introspected, all in use")
	row("---", "---", "---", "---")
	of := func(name string, f func(c column) any) { row(name, f(columns[0]), f(columns[1]), f(columns[2])) }
	of("refreshes per second", func(c column) any { return math.Round(c.f.PerSecond()) })
	of("write units per second", func(c column) any { return math.Round(c.f.PerSecond() * float64(c.c.WriteUnits())) })
	of("index writes per second and shard (limit 1,000)", func(c column) any { return math.Round(c.f.IndexWrites(c.c.Refresh)) })
	of("messages per second, of 25", func(c column) any { return math.Round(c.f.Messages()) })
	of("STS requests per second, at most", func(c column) any { return math.Round(c.f.Messages() * float64(c.c.Sessions)) })
	of("functions at work", func(c column) any { return math.Round(c.f.Busy()) })
	for _, line := range []struct {
		name string
		of   func(scale.Bill) float64
	}{
		{"DynamoDB writes, a month", func(b scale.Bill) float64 { return b.Writes }}, {"DynamoDB reads", func(b scale.Bill) float64 { return b.Reads }},
		{"sealing, each record alone", func(b scale.Bill) float64 { return b.Sealing }}, {"Lambda", func(b scale.Bill) float64 { return b.Lambda }},
		{"events", func(b scale.Bill) float64 { return b.Events }}, {"KMS", func(b scale.Bill) float64 { return b.KMS }},
		{"SQS, logs, scheduler", func(b scale.Bill) float64 { return b.Queue + b.Logs + b.Scheduler }}, {"together", scale.Bill.Total},
	} {
		of(line.name, func(c column) any {
			return fmt.Sprintf("$%.0f", math.Round(line.of(scale.Month(c.f, c.c.Refresh, c.c.Message, s, scale.ListPrices()))/100)*100)
		})
	}
	return b.String()
}

func kb(bytes int) int { return (bytes + 1023) / 1024 }

func TestFleet_TenMillion_StaysBelowTheLimits(t *testing.T) {
	t.Parallel()
	for _, r := range []scale.Refresh{{ConnectionWrites: 3, ConnectionBytes: 1400, SlotBytes: 800, AuditBytes: 500, Moves: 1}, {ConnectionWrites: 3, ConnectionBytes: 1400, SlotBytes: 800, AuditBytes: 500, Moves: 2}} {
		f := fleet(1)
		if n := f.IndexWrites(r); n >= 1000 {
			t.Errorf("a shard of the index takes %.0f writes a second", n)
		}
		if n := f.PerSecond() * float64(r.WriteUnits()); n >= 40_000 {
			t.Errorf("the tables take %.0f write units a second", n)
		}
	}
}

// A small case by hand: 3,600 connections refreshed hourly are one a second.
func TestMonth_ByHand(t *testing.T) {
	t.Parallel()
	f := scale.Fleet{Connections: 3600, Every: time.Hour, KeepAlive: time.Hour, Used: 1, Took: time.Second}
	r := scale.Refresh{Reads: 4, ConnectionWrites: 3, ConnectionBytes: 1025, SlotBytes: 1024, AuditBytes: 1, Moves: 1, Events: 1}
	b := scale.Month(f, r, scale.Message{Decrypts: 25}, scale.Sealing{}, scale.Prices{WriteUnits: 1, ReadUnits: 1, Events: 1, KMSRequests: 1, GBSecond: 1})
	const seconds = 2_629_800.0
	for name, x := range map[string][2]float64{
		"writes": {b.Writes, 10 * seconds / 1e6}, // 3 x 2 KB, 1, 1, and 2 in the index
		"reads":  {b.Reads, 4 * seconds / 1e6}, "events": {b.Events, seconds / 1e6}, "kms": {b.KMS, seconds / 1e6},
		"lambda": {b.Lambda, seconds * 0.04 * 4 * 0.5}, // 1/25 messages, 4 rounds of a second, half a GB
	} {
		if math.Abs(x[0]-x[1]) > x[1]/1e6 {
			t.Errorf("%s is %v, want %v", name, x[0], x[1])
		}
	}
}
