package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/secret"
)

const driveConnector = `id: drive
name: Drive
description: Files of any size.
docs_url: https://drive.example/docs
hosts: {api: https://api.drive.example}
fields:
  - {name: api_key, label: Key, help: Any., example: dk, secret: true, required: true, pattern: "^dk_[a-z0-9]+$"}
auth: {mode: api_key}
credential: {value: "{api_key}"}
api: {base: "{api}"}
errors: {api: {dialect: status}}
identity:
  request: {method: GET, url: "{api}/me"}
  map: {account_id: id, login: id}
`

const driveTools = `- name: drive_get_file
  title: Get a file
  effect: read
  description: Get what is known of a file.
  input:
    required: [id]
    properties:
      id: {type: string, description: The file's id.}
  request: {method: GET, url: "{api}/files/{id}"}
  response: {keep: [id]}
`

const driveKey = "dk_0123456789abcdefghijklmnopqrstuvwxyz"

// drive is a provider of files: /bytes/N has N bytes, and with ?echo its credential among them, byte by byte; ?break=M cuts the connection after M bytes.
type drive struct {
	f       *e2e.Fixture
	session string
	calls   atomic.Int64
}

func newDrive(t *testing.T) *drive {
	t.Helper()
	d := &drive{}
	provider := httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(provider.Close)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "drive"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"connector.yaml": driveConnector, "tools.yaml": driveTools} {
		if err := os.WriteFile(filepath.Join(dir, "drive", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.f = e2e.Start(t, e2e.Options{Connectors: dir, Getenv: func(name string) string {
		if name == env.ConnectorHosts {
			return fmt.Sprintf(`{"drive":{"api":%q}}`, provider.URL)
		}
		return ""
	}})
	d.f.Back(t, "POST", "/v1/tenants/acme/connections", object{"principal": "user_alice", "connector": "drive", "credential": object{"api_key": driveKey}}).Want(t, 201)
	d.session = d.f.Session(t, "acme", "user_alice", nil)
	return d
}

// block is what files are made of.
var block = bytes.Repeat([]byte("0123456789abcdef\n"), 1000)

func (d *drive) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/me" {
		_, _ = io.WriteString(w, `{"id":"alice"}`)
		return
	}
	d.calls.Add(1)
	n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/bytes/"))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Set-Cookie", "a=b")
	w.Header().Set("Etag", `"`+r.Header.Get("Authorization")+`"`)
	if e := r.URL.Query().Get("encoding"); e != "" {
		w.Header().Set("Content-Encoding", e)
	}
	if s, _ := strconv.Atoi(r.URL.Query().Get("status")); s != 0 {
		w.WriteHeader(s)
	}
	limit := n
	broken, _ := strconv.Atoi(r.URL.Query().Get("break"))
	if broken > 0 {
		limit = broken
	}
	for sent := 0; sent < limit; {
		piece := block[:min(len(block), limit-sent)]
		if _, err := w.Write(piece); err != nil {
			break
		}
		sent += len(piece)
		if echo := r.URL.Query().Get("echo"); echo != "" && sent == 200*len(block) {
			for _, b := range []byte(driveKey) {
				_, _ = w.Write([]byte{b})
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
	_ = http.NewResponseController(w).Flush()
	if broken > 0 {
		panic(http.ErrAbortHandler)
	}
}

// get asks through the proxy route; the caller reads the body.
func (d *drive) get(t *testing.T, ctx context.Context, path string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.f.URL+"/v1/proxy/drive/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.session)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// execution is how an execution stands on record once it has ended.
func (d *drive) execution(t *testing.T, id string) e2e.Answer {
	t.Helper()
	for range 200 {
		a := d.f.Do(t, e2e.Request{Method: "GET", Path: "/v1/executions/" + id, Token: d.session}).Want(t, 200)
		if a.Text("state") != "in_flight" {
			return a
		}
		runtime.Gosched()
		<-time.After(10 * time.Millisecond) // the record is written by another goroutine, after the client has seen the end
	}
	t.Fatalf("execution %s does not end", id)
	return e2e.Answer{}
}

// weighed hashes what it is given, and looks for the credential.
type weighed struct {
	hash.Hash
	n    int64
	peak uint64
}

func (s *weighed) Write(p []byte) (int, error) {
	if before := s.n; before>>24 != (before+int64(len(p)))>>24 { // every 16 MiB
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		s.peak = max(s.peak, m.HeapAlloc)
	}
	s.n += int64(len(p))
	return s.Hash.Write(p)
}

func TestStream_200MB_ArrivesWholeAndMemoryStaysFlat(t *testing.T) { // alone: it measures the process's heap
	d := newDrive(t)
	const size = 199_990_000
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res := d.get(t, t.Context(), "bytes/"+strconv.Itoa(size))
	got := &weighed{Hash: sha256.New()}
	if _, err := io.Copy(got, res.Body); err != nil {
		t.Fatal(err)
	}
	want := sha256.New()
	for left := size; left > 0; left -= len(block) {
		want.Write(block[:min(len(block), left)])
	}
	if got.n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Errorf("%d bytes of %d arrived, or others", got.n, size)
	}
	t.Logf("live heap: %d KiB before, %d KiB at most while streaming", before.HeapAlloc>>10, got.peak>>10)
	if got.peak > before.HeapAlloc+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapAlloc, got.peak)
	}
	if a := d.execution(t, res.Header.Get("Behalf-Execution")); a.Text("state") != "succeeded" || a.JSON["bytes"] != float64(size) || a.JSON["provider_status"] != 200.0 {
		t.Errorf("%s", a.Body)
	}
}

func TestStream_EchoedCredential_IsRedactedAndHeadersAreFiltered(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	const size = 5_000_000
	res := d.get(t, t.Context(), "bytes/"+strconv.Itoa(size)+"?echo=1")
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte(driveKey)) || bytes.Count(body, []byte(secret.Redacted)) != 1 || len(body) != size+len(secret.Redacted) {
		t.Errorf("%d bytes, redacted %d times", len(body), bytes.Count(body, []byte(secret.Redacted)))
	}
	if h := res.Header; h.Get("Set-Cookie") != "" || strings.Contains(h.Get("Etag"), driveKey) || h.Get("Etag") == "" || h.Get("Content-Security-Policy") == "" || h.Get("Behalf-Provider-Status") != "200" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", h)
	}
}

func TestStream_BreaksOffHalfWay_ClientSeesItAndItIsOnRecord(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	const part = 3_000_000
	res := d.get(t, t.Context(), "bytes/9000000?break="+strconv.Itoa(part))
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil || errors.Is(err, io.EOF) {
		t.Errorf("%d bytes and a proper end", n)
	}
	a := d.execution(t, res.Header.Get("Behalf-Execution"))
	if a.Text("state") != "failed" || a.Text("code") != "provider_error" || a.Text("reason") != "no_answer" || a.JSON["bytes"] != float64(part) || a.JSON["provider_status"] != 200.0 {
		t.Errorf("%s", a.Body)
	}
	if d.calls.Load() != 1 {
		t.Errorf("asked %d times", d.calls.Load())
	}
}

// The local stack notices; Lambda does not tell a function that nobody listens any more.
func TestStream_ClientGoesAway_IsOnRecord(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	ctx, cancel := context.WithCancel(t.Context())
	const size = 100_000_000
	res := d.get(t, ctx, "bytes/"+strconv.Itoa(size))
	if _, err := io.CopyN(io.Discard, res.Body, 1_500_000); err != nil {
		t.Fatal(err)
	}
	cancel()
	a := d.execution(t, res.Header.Get("Behalf-Execution"))
	if n, _ := a.JSON["bytes"].(float64); a.Text("state") != "failed" || a.Text("reason") != "not_taken" || n < 1_500_000 || n >= size {
		t.Errorf("%s", a.Body)
	}
}

func TestStream_WhatIsNotStreamed(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	get := func(path string, header ...string) e2e.Answer {
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return d.f.Do(t, e2e.Request{Method: "GET", Path: "/v1/proxy/drive/" + path, Token: d.session, Header: h})
	}
	if a := get("bytes/1000").Want(t, 200); len(a.Body) != 1000 {
		t.Errorf("%d bytes", len(a.Body))
	}
	if a := get("bytes/3000000", "Idempotency-Key", "k1").Want(t, 200); len(a.Body) != 3_000_000 {
		t.Errorf("with a key: %d bytes", len(a.Body))
	}
	for path, header := range map[string]string{"bytes/9000000": "Idempotency-Key", "bytes/9000000?status=500": "Accept"} {
		a := get(path, header, "k2").WantCode(t, "provider_error")
		if a.Text("reason") != "response_too_large" || a.Status != 502 {
			t.Errorf("%s: %s", path, a.Body)
		}
		if x := d.execution(t, a.Text("execution_id")); x.Text("state") != "failed" {
			t.Errorf("%s: %s", path, x.Body)
		}
	}
	for _, e := range []string{"br", "zstd", "deflate", "gzip"} {
		if a := get("bytes/2000000?encoding="+e, "Range", "bytes=0-").WantCode(t, "provider_error"); a.Text("reason") != "response_encoded" {
			t.Errorf("%s: %s", e, a.Body)
		}
	}
}
