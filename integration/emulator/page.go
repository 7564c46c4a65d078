package emulator

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page and its style
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// pageData is what page.html shows; Problem replaces the form.
type pageData struct {
	Style    template.CSS
	Provider string
	Brand    string // class name for the accent colour
	App      string
	Back     string // host that the browser returns to
	Sets     []pageScopes
	People   []pagePerson
	Problem  string
	Code     string
}

type pageScopes struct {
	Label  string
	Scopes []string
}

type pagePerson struct {
	Person
	Chosen bool
}

// consentPage asks who is signing in and whether the app may have the scopes.
func consentPage(tr traits, req authRequest) reply {
	data := pageData{Provider: tr.title, Brand: tr.name, App: req.client.title(), Back: req.redirect.Host}
	for _, s := range req.sets {
		label := ""
		if s.series != "" {
			label = s.series + " token"
		}
		data.Sets = append(data.Sets, pageScopes{Label: label, Scopes: s.scopes})
	}
	chosen := tr.people[0].Login
	for _, x := range tr.people {
		if req.hint == x.Login || req.hint == x.Email {
			chosen = x.Login
		}
	}
	for _, x := range tr.people {
		data.People = append(data.People, pagePerson{Person: x, Chosen: x.Login == chosen})
	}
	return render(http.StatusOK, data)
}

// errorPage is shown when the browser must not be sent back.
func errorPage(status int, code, problem string) *reply {
	out := render(status, pageData{Provider: "Emulated provider", Problem: problem, Code: code}).failed(code)
	return &out
}

// render fills the template. It is parsed per page: the page is rare, and no
// package-level variable has to hold it.
func render(status int, data pageData) reply {
	data.Style = template.CSS(pageCSS) //nolint:gosec // our own embedded file
	var body bytes.Buffer
	t, err := template.New("page").Parse(pageHTML)
	if err == nil {
		err = t.Execute(&body, data)
	}
	if err != nil {
		return textReply(http.StatusInternalServerError, "page template is broken", "template")
	}
	sum := sha256.Sum256([]byte(pageCSS))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; frame-ancestors 'none'"
	out := reply{status: status, body: body.Bytes(), outcome: "ok"}
	return out.set("Content-Type", "text/html; charset=utf-8").set("Cache-Control", "no-store").
		set("Content-Security-Policy", policy).set("Referrer-Policy", "no-referrer").set("X-Frame-Options", "DENY")
}

// title is the name of the app, or its id.
func (cl *client) title() string {
	if cl.Name != "" {
		return cl.Name
	}
	return cl.ID
}
