package callback

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
)

//go:embed page
var pageFiles embed.FS

// pages are what people see: server-rendered, no script, no asset from anywhere.
type pages struct {
	connectPage, formPage, failurePage *template.Template
	approvePage, approvedPage          *template.Template
	notApprovedPage                    *template.Template
	style                              template.CSS
	// policy lets a form be sent, to anywhere: browsers hold the redirect that follows, to the provider, to form-action as well. closed
	// is for pages without a form.
	policy, closed string
}

func newPages() (pages, error) {
	css, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return pages{}, err
	}
	more, err := pageFiles.ReadFile("page/approve.css")
	if err != nil {
		return pages{}, err
	}
	css = append(css, more...)
	h := sha256.Sum256(css)
	p := pages{style: template.CSS(css), // our own file, not input
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'; base-uri 'none'; frame-ancestors 'none'"}
	p.closed = p.policy + "; form-action 'none'"
	if p.connectPage, err = template.ParseFS(pageFiles, "page/layout.html", "page/connect.html"); err != nil {
		return p, err
	}
	if p.approvePage, err = template.ParseFS(pageFiles, "page/layout.html", "page/approve.html"); err != nil {
		return p, err
	}
	if p.approvedPage, err = template.ParseFS(pageFiles, "page/layout.html", "page/approved.html"); err != nil {
		return p, err
	}
	if p.notApprovedPage, err = template.ParseFS(pageFiles, "page/layout.html", "page/notapproved.html"); err != nil {
		return p, err
	}
	if p.formPage, err = template.ParseFS(pageFiles, "page/layout.html", "page/form.html"); err != nil {
		return p, err
	}
	p.failurePage, err = template.ParseFS(pageFiles, "page/layout.html", "page/failure.html")
	return p, err
}

func (p pages) render(t *template.Template, policy string, status int, data map[string]any) (*apigw.Response, error) {
	data["Style"] = p.style
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", data); err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	return &apigw.Response{Status: status, Body: b.Bytes(), Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"},
		"Content-Security-Policy": {policy}, "X-Frame-Options": {"DENY"}, "Cross-Origin-Opener-Policy": {"same-origin"}}}, nil
}

// group is permissions of one effect, in plain words.
type group struct {
	Effect  catalog.Effect
	Heading string
	Lines   []string
}

func (p pages) connect(page oauthflow.Page, tenantName string) (*apigw.Response, error) {
	c := page.Connector
	return p.render(p.connectPage, p.policy, http.StatusOK, map[string]any{"Title": "Connect " + c.Name, "Tenant": tenantName, "Connector": c.Name,
		"Principal": page.Link.Principal, "Reconnect": page.Link.Reconnect, "Groups": groups(c, page.Link.Scopes)})
}

// approve asks a person about a call; data is made by Function.request.
func (p pages) approve(data map[string]any) (*apigw.Response, error) {
	data["Title"] = "Approve a call"
	return p.render(p.approvePage, p.policy+"; form-action 'self'", http.StatusOK, data)
}

// approved says what a person's answer leads to.
func (p pages) approved(data map[string]any) (*apigw.Response, error) {
	data["Title"] = "Your answer"
	return p.render(p.approvedPage, p.closed, http.StatusOK, data)
}

// notApproved tells a person that an answer did not count, and why.
func (p pages) notApproved(err error, requestID string) *apigw.Response {
	e, heading := fault.From(err), ""
	switch reason, _ := e.Detail["reason"].(string); {
	case reason == "other_browser":
		heading = "This call was opened in another browser"
	case e.Code == fault.Conflict:
		heading = "There is nothing to decide here any more"
	case e.Code == fault.NotFound:
		heading = "This link no longer works"
	case e.Code == fault.Internal:
		heading = "Something went wrong on our side"
	default:
		heading = "This answer cannot be accepted"
	}
	res, rerr := p.render(p.notApprovedPage, p.closed, e.Code.Status(), map[string]any{"Title": heading, "Heading": heading, "Message": sentence(e.Message), "Reference": requestID})
	if rerr != nil {
		return apigw.Problem(err, requestID)
	}
	return res
}

// groups sorts scopes by what they allow; a scope that the connector does not describe is shown by its name, as a write.
func groups(c *catalog.Connector, scopes []string) []group {
	all := []group{{catalog.EffectRead, "Reading", nil}, {catalog.EffectWrite, "Changing", nil}, {catalog.EffectDestructive, "Deleting", nil}}
	for _, name := range scopes {
		s, ok := c.Scopes.Known[name]
		if !ok {
			s = catalog.Scope{Description: name, Effect: catalog.EffectWrite}
		}
		for i := range all {
			if all[i].Effect == s.Effect {
				all[i].Lines = append(all[i].Lines, s.Description)
			}
		}
	}
	out := all[:0]
	for _, g := range all {
		if len(g.Lines) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// headings say in a person's words what happened.
var headings = map[fault.Code]string{
	fault.NotFound: "This link no longer works", fault.Conflict: "This link was already used", fault.InvalidInput: "This page was opened in a way we do not know",
	fault.Forbidden: "This sign-in cannot be accepted", fault.Revoked: "This access was revoked",
}

func (p pages) failure(err error, requestID string) *apigw.Response {
	e := fault.From(err)
	heading, ok := headings[e.Code]
	if !ok {
		heading = "Something went wrong on our side"
	}
	res, rerr := p.render(p.failurePage, p.closed, e.Code.Status(), map[string]any{"Title": heading, "Heading": heading, "Message": sentence(e.Message), "Reference": requestID})
	if rerr != nil {
		return apigw.Problem(err, requestID)
	}
	return res
}

// sentence gives a message a capital and a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	first := []byte(s)
	if first[0] >= 'a' && first[0] <= 'z' {
		first[0] -= 'a' - 'A'
	}
	if last := first[len(first)-1]; last != '.' && last != '?' {
		first = append(first, '.')
	}
	return string(first)
}
