package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"time"
)

// api calls the stack with one credential.
type api struct {
	base, token string
	http        *http.Client
}

// answer is a reply, good or bad.
type answer struct {
	Status int
	Body   []byte
}

// problem is what the story needs of a problem document.
type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Reason string `json:"reason"`
}

func (a answer) problem() problem {
	var p problem
	_ = json.Unmarshal(a.Body, &p) // an answer that is no problem document has no code, which no step accepts
	return p
}

func (a api) call(ctx context.Context, method, path string, body any) (answer, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, r)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := a.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, b}, err
}

// must is call for a request that has to succeed; into receives the body.
func (a api) must(ctx context.Context, method, path string, body, into any) error {
	ans, err := a.call(ctx, method, path, body)
	if err != nil {
		return err
	}
	if ans.Status >= 300 {
		return fmt.Errorf("%s %s answered %d %s (%s): %s", method, path, ans.Status, ans.problem().Code, ans.problem().Reason, ans.problem().Detail)
	}
	if into == nil || len(ans.Body) == 0 {
		return nil
	}
	return json.Unmarshal(ans.Body, into)
}

// browser is one person's browser: cookies, and redirects followed by hand so that each can be looked at.
func browser() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	return &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, err
}

// visit makes one step of a browser and returns where it is sent next.
func visit(ctx context.Context, b *http.Client, method, to string) (next *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, method, to, nil)
	if err != nil {
		return nil, err
	}
	res, err := b.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	switch res.StatusCode {
	case http.StatusOK:
		return nil, nil
	case http.StatusFound, http.StatusSeeOther:
		return res.Location()
	}
	return nil, fmt.Errorf("%s %s answered %d", method, req.URL.Path, res.StatusCode)
}
