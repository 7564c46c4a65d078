package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

func sessionAt(t *testing.T, h http.HandlerFunc) *client.Session {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newClient(t, srv.URL).Session(secret.FromString(session))
}

func TestTransport_ProvidersOwnSDK_GoesThroughTheProxy(t *testing.T) {
	t.Parallel()
	s := sessionAt(t, func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "/v1/proxy/github/repos/a%20b/c?q=1" || r.Header.Get("Authorization") != "Bearer "+session {
			t.Errorf("%s %q", r.RequestURI, r.Header.Get("Authorization"))
		}
		if r.Method == http.MethodDelete {
			w.Header().Set("Content-Type", fault.ContentType)
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"code":"forbidden","detail":"no"}`))
			return
		}
		w.Header().Set("Behalf-Provider-Status", "404")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("gone"))
	})
	h := &http.Client{Transport: s.Transport("github")}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.github.com/repos/a%20b/c?q=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer the-sdk-wants-one")
	res, err := h.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if b, err := io.ReadAll(res.Body); res.StatusCode != 404 || string(b) != "gone" || err != nil {
		t.Errorf("%d %s %v", res.StatusCode, b, err)
	}
	if req.Header.Get("Authorization") != "Bearer the-sdk-wants-one" {
		t.Error("the caller's request was changed")
	}
	req.Method = http.MethodDelete
	if res, err := h.Do(req); err == nil {
		_ = res.Body.Close()
		t.Error("a refusal of ours passed for the provider's answer")
	} else if !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
}

func TestExecuteBatch_ResultsAndErrors_KeepTheirPlaces(t *testing.T) {
	t.Parallel()
	s := sessionAt(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"failed":1,"results":[{"error":{"code":"scope_missing","detail":"more","execution_id":"exec_1"}},{"result":{"execution_id":"exec_2","data":{"a":1}},"replayed":true}]}`))
	})
	got, err := s.ExecuteBatch(t.Context(), []client.Call{{Tool: "a"}, {Tool: "b"}})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v %v", got, err)
	}
	if !fault.Is(got[0].Err, fault.ScopeMissing) || got[1].Err != nil || got[1].ID != "exec_2" || !got[1].Replayed {
		t.Errorf("%+v", got)
	}
}
