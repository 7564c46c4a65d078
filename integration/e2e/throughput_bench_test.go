package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"behalf.dev/behalf/shared/secret/reveal"
)

// shot is one kind of request that callers make over and over.
type shot struct {
	name string
	make func() (*http.Request, error)
	// holds is what an answer that counts must hold.
	holds string
}

// BenchmarkThroughput is a closed loop of 1 and of 32 callers over HTTP to the local stack, and to the provider's emulator without
// it: the difference is what Behalf adds. Client, gateway, functions, embedded AWS and emulator share one process, so the
// throughput is that of all of them together. busy-% is how much of the machine was in use by anybody; what is not this
// process's is foreign-%.
func BenchmarkThroughput(b *testing.B) {
	s := apart(b, true)
	session := s.f.Session(b, "acme", "user_alice", nil)
	_, me, _ := toolOf(b, "github_get_authenticated_user", s)
	direct, err := me.Bind(nil, s.held.Metadata)
	must(b, err)
	post := func(path, body string, more http.Header) func() (*http.Request, error) {
		return func() (*http.Request, error) {
			q, err := http.NewRequest("POST", s.f.URL+path, strings.NewReader(body))
			if err == nil {
				q.Header = more.Clone()
				q.Header.Set("Authorization", "Bearer "+session)
				q.Header.Set("Content-Type", "application/json")
			}
			return q, err
		}
	}
	token := string(s.token.Reveal(reveal.Key{}))
	shots := []shot{
		{"direct", func() (*http.Request, error) {
			q, err := http.NewRequest(direct.Method, direct.URL.String(), nil)
			if err == nil {
				q.Header.Set("Authorization", "Bearer "+token)
			}
			return q, err
		}, `"login":"alice`},
		{"rest", post("/v1/execute", `{"tool":"github_get_authenticated_user"}`, http.Header{}), `"execution_id"`},
		{"mcp", post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"github_get_authenticated_user","arguments":{}}}`,
			http.Header{"Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"}}), `"structuredContent"`},
	}
	for _, callers := range []int{1, 32} {
		for _, sh := range shots {
			b.Run(fmt.Sprintf("%s/callers=%d", sh.name, callers), func(b *testing.B) { loop(b, sh, callers) })
		}
	}
}

// loop shares b.N requests among callers and reports percentiles.
func loop(b *testing.B, sh shot, callers int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	once := func() error {
		q, err := sh.make()
		if err != nil {
			return err
		}
		res, err := client.Do(q)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err == nil && (res.StatusCode != 200 || !bytes.Contains(body, []byte(sh.holds))) {
			err = fmt.Errorf("%d %.300s", res.StatusCode, body)
		}
		return err
	}
	must(b, once())
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, callers)
	busy0, all0 := machine()
	own0, start := processor(), time.Now()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				at := time.Now()
				if err := once(); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	wg.Wait()
	wall := time.Since(start)
	busy1, all1 := machine()
	lat := slices.Concat(took...)
	slices.Sort(lat)
	if len(lat) == 0 {
		return
	}
	at := func(q float64) float64 {
		return float64(lat[min(len(lat)-1, int(q*float64(len(lat))))].Microseconds())
	}
	b.ReportMetric(float64(len(lat))/wall.Seconds(), "req/s")
	b.ReportMetric(at(.5), "p50-µs")
	b.ReportMetric(at(.99), "p99-µs")
	b.ReportMetric(float64((processor()-own0).Microseconds())/float64(len(lat)), "cpu-µs/op")
	if all1 > all0 {
		busy, own := float64(busy1-busy0)/float64(all1-all0), (processor()-own0).Seconds()/wall.Seconds()/float64(runtime.NumCPU())
		b.ReportMetric(100*busy, "busy-%")
		b.ReportMetric(max(0, 100*(busy-own)), "foreign-%")
	}
}

// machine is the processor time of the whole machine so far, in ticks: used, and all. Zero where there is no /proc/stat.
func machine() (busy, all int64) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, field := range strings.Fields(line)[1:] {
		var n int64
		_, _ = fmt.Sscan(field, &n)
		if i >= 8 { // guest time is in user time already
			break
		}
		if all += n; i != 3 && i != 4 { // idle, iowait
			busy += n
		}
	}
	return busy, all
}
