package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/env"
)

// loginPath is where the local stack plays the application: the page that an MCP client's person is sent to, to say who they are. It asks
// for no password and calls the API with the stack's own key, so it exists here only.
const loginPath = "/dev/login"

// loginURL is the login page for MCP clients: the application's, if one is configured, or ours.
func (s *Stack) loginURL() string {
	if own := s.opt.Getenv(env.MCPLoginURL); own != "" {
		return own
	}
	return s.URL + loginPath
}

const loginPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Your application</title>
<style>body{font:16px system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}label,input,button{display:block;width:100%;box-sizing:border-box;margin:.3rem 0;padding:.5rem}label{padding:0}</style>
<h1>Your application</h1><p>In production this is your own login page. Here you say who you are; nothing is checked.</p>{{with .Error}}<p role="alert">{{.}}</p>{{end}}
<form method="post"><input type="hidden" name="mcp_login" value="{{.Login}}"><label for="t">Tenant</label><input id="t" name="tenant" value="acme"><label for="p">Principal</label><input id="p" name="principal" value="user_alice"><button>Log in</button></form></html>`

// login shows the page, and does what the application's back end does: says who is signed in, and sends the browser on.
func (s *Stack) login(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	login, problem := r.FormValue("mcp_login"), ""
	if r.Method == http.MethodPost {
		if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
			http.Error(w, "this form was sent from another site", http.StatusForbidden)
			return
		}
		to, err := s.confirmLogin(r.Context(), map[string]string{"mcp_login": login, "tenant": r.PostFormValue("tenant"), "principal": r.PostFormValue("principal")})
		if err == nil {
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		problem = err.Error()
	}
	page, err := template.New("login").Parse(loginPage)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = page.Execute(w, map[string]string{"Login": login, "Error": problem}) // the browser is gone if this fails
}

// confirmLogin calls POST /v1/mcp-logins and returns where to send the browser.
func (s *Stack) confirmLogin(ctx context.Context, body map[string]string) (string, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/mcp-logins", bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+s.apiKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var out struct {
		URL    string `json:"continue_url"`
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("the login was refused: %s", out.Detail)
	}
	return out.URL, nil
}
