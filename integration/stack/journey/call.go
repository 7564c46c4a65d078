package journey

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// timeout of a request and of a drain; binaries on a slow machine need some of it for their start.
const timeout = 40 * time.Second

type object = map[string]any

// back is a call of the SaaS's back end.
func (w *Walk) back(method, path string, in any, status int, out any) {
	w.t.Helper()
	w.call(w.s.APIKey(), method, path, in, status, out)
}

// call makes a request and decodes the answer, which must have the status.
func (w *Walk) call(credential, method, path string, in any, status int, out any) {
	w.t.Helper()
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			w.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.s.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Timeout: timeout}).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.StatusCode != status {
		w.t.Fatalf("%s %s answered %d, want %d: %s", method, path, res.StatusCode, status, text)
	}
	if out == nil || status >= http.StatusMultipleChoices {
		return
	}
	if err := json.Unmarshal(text, out); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}
