package webpage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
)

//go:embed page
var files embed.FS

// Brand is how a tenant presents itself. The zero value is no tenant's page.
type Brand struct {
	// Name is the tenant's name for people.
	Name string
	// Logo is a data URL that CheckLogo accepted; empty shows none.
	Logo string
	// Accent is a colour that CheckAccent accepted; empty keeps ours.
	Accent string
}

// Page is one page for a person.
type Page struct {
	Title string
	Brand Brand
	// Forms says where the page's forms may lead: nowhere (it has none), to us, or anywhere.
	Forms Forms
	// Body is handed to the template "body".
	Body any
}

// Forms is a form-action of the Content-Security-Policy.
type Forms int

// Browsers hold the redirect behind a form to form-action as well, so a page whose form leads to a provider leaves it open.
const (
	NoForms Forms = iota
	OwnForms
	LeavingForms
)

func (f Forms) policy() string {
	return map[Forms]string{NoForms: "; form-action 'none'", OwnForms: "; form-action 'self'"}[f]
}

// Site renders pages in the one layout.
type Site struct {
	css     string
	layout  *template.Template
	failure *template.Template
}

// New loads layout and style.
func New() (*Site, error) {
	css, err := files.ReadFile("page/style.css")
	if err != nil {
		return nil, err
	}
	s := &Site{css: string(css)}
	if s.layout, err = template.ParseFS(files, "page/layout.html"); err != nil {
		return nil, err
	}
	s.failure, err = s.Template(files, "page/failure.html")
	return s, err
}

// Template parses a page: files that define the template "body".
func (s *Site) Template(in fs.FS, names ...string) (*template.Template, error) {
	t, err := s.layout.Clone()
	if err != nil {
		return nil, err
	}
	return t.ParseFS(in, names...)
}

// Render makes the answer of a page. It is not to be kept by anybody: it is one person's.
func (s *Site) Render(t *template.Template, status int, p Page) (*apigw.Response, error) {
	style := s.css + p.Brand.style()
	var b bytes.Buffer
	err := t.ExecuteTemplate(&b, "layout", map[string]any{"Title": p.Title, "Body": p.Body,
		"Brand": map[string]any{"Name": p.Brand.Name, "Logo": template.URL(p.Brand.Logo)}, // CheckLogo let it in
		"Style": template.CSS(style)})                                                     // our own file, and a colour that was parsed
	if err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; frame-ancestors 'none'" + p.Forms.policy()
	return &apigw.Response{Status: status, Body: b.Bytes(), Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"},
		"Content-Security-Policy": {policy}, "X-Frame-Options": {"DENY"}, "Cross-Origin-Opener-Policy": {"same-origin"}, "Cross-Origin-Resource-Policy": {"same-origin"},
		"Permissions-Policy": {"camera=(), microphone=(), geolocation=(), browsing-topics=()"}}}, nil
}

// SeeOther sends the browser elsewhere (RFC 9110, section 15.4.4): after a form, so that reloading repeats nothing.
func SeeOther(to string) *apigw.Response {
	return &apigw.Response{Status: http.StatusSeeOther, Header: http.Header{"Location": {to}, "Cache-Control": {"no-store"}}}
}
