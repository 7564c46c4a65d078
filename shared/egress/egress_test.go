package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
)

func TestPublic_Table(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "169.254.1.1", "100.64.0.1", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "240.0.0.1", "198.18.0.1",
		"::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fec0::1", "fe80::1%eth0"} {
		if Public(netip.MustParseAddr(s)) {
			t.Errorf("%s counts as public", s)
		}
	}
	for _, s := range []string{"8.8.8.8", "140.82.121.4", "2606:4700::1111"} {
		if !Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is refused", s)
		}
	}
}

func request(t *testing.T, ctx context.Context, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClient_Production_RefusesLoopbackByEveryName(t *testing.T) {
	t.Parallel()
	hit := false
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer s.Close()
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	c := New(Options{})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433", "0x7f000001"} {
		_, err := c.Do(request(t, t.Context(), "https://"+host+port+"/2018-06-01/runtime/invocation/next"))
		if !fault.Is(err, fault.ProviderError) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if hit {
		t.Error("a request got through")
	}
	if _, err := c.Do(request(t, t.Context(), "http://example.com/")); !fault.Is(err, fault.ProviderError) || !errors.Is(err, ErrNotSent) {
		t.Errorf("plain http: %v", err)
	}
	if _, err := c.Do(request(t, t.Context(), "https://u:p@example.com/")); !fault.Is(err, fault.ProviderError) {
		t.Errorf("userinfo: %v", err)
	}
}

func TestClient_Redirect_IsAnAnswer(t *testing.T) {
	t.Parallel()
	followed := false
	mux := http.NewServeMux()
	mux.Handle("/a", http.RedirectHandler("/b", http.StatusFound))
	mux.HandleFunc("/b", func(http.ResponseWriter, *http.Request) { followed = true })
	s := httptest.NewServer(mux)
	defer s.Close()
	res, err := New(Options{AllowPrivate: true}).Do(request(t, t.Context(), s.URL+"/a"))
	if err != nil || res.Status != http.StatusFound || followed {
		t.Errorf("%d %v followed=%v", res.Status, err, followed)
	}
}

func TestClient_LargeAnswer_FailsWhole(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1001)) }))
	defer s.Close()
	if res, err := New(Options{AllowPrivate: true, MaxResponse: 1001}).Do(request(t, t.Context(), s.URL)); err != nil || len(res.Body) != 1001 {
		t.Errorf("%d bytes, %v", len(res.Body), err)
	}
	_, err := New(Options{AllowPrivate: true, MaxResponse: 1000}).Do(request(t, t.Context(), s.URL))
	if !fault.Is(err, fault.ProviderError) || fault.From(err).Detail["reason"] != "response_too_large" {
		t.Errorf("%v", err)
	}
}

func TestClient_NoAnswer_TellsWhetherItWasSent(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer s.Close()
	defer close(hang)
	c := New(Options{AllowPrivate: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Do(request(t, ctx, s.URL))
	if errors.Is(err, ErrNotSent) || fault.From(err).Detail["reason"] != "timeout" {
		t.Errorf("timeout: %v", err)
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	if _, err = c.Do(request(t, t.Context(), closed.URL)); !errors.Is(err, ErrNotSent) || !fault.Is(err, fault.ProviderError) {
		t.Errorf("refused: %v", err)
	}
}

// TestClient_CutConnection_NeverRepeatsAWrite pins net/http's own repetition: on a reused connection that is cut it
// sends again whatever it takes for idempotent.
func TestClient_CutConnection_NeverRepeatsAWrite(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, body := range []string{"", `{"a":1}`} {
			hits := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				hits++
				panic(http.ErrAbortHandler)
			}))
			c := New(Options{AllowPrivate: true})
			if _, err := c.Do(request(t, t.Context(), s.URL)); err != nil { // leaves a connection to be reused
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Idempotency-Key", "k")
			if _, err := c.Do(r); err == nil || errors.Is(err, ErrNotSent) {
				t.Errorf("%s: %v", method, err)
			}
			s.Close()
			if hits != 1 {
				t.Errorf("%s with body %q was sent %d times", method, body, hits)
			}
		}
	}
}

// A key may stand in the query, where a provider takes it nowhere else; errors and their causes are logged.
func TestClient_Failure_NamesNoQuery(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, at := range []string{s.URL, closed.URL, "https://does-not-resolve.invalid"} {
		_, err := New(Options{AllowPrivate: true}).Do(request(t, t.Context(), at+"/x?key=SECRET0123456789"))
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), "SECRET") {
				t.Errorf("%s: %v", at, e)
			}
		}
		if cause := fault.From(err).Unwrap(); err == nil || cause == nil || strings.Contains(cause.Error(), "SECRET") {
			t.Errorf("%s: %v, %v", at, err, cause)
		}
	}
}
