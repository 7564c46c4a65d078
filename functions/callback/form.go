package callback

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/webpage"
)

// proofField is the hidden field that shows that a form comes from our page.
const proofField = "_proof"

// maxForm bounds a form in bytes: some fields of 16 KiB, percent-encoded.
const maxForm = 256 << 10

// sheet renders a form page and binds it to the browser.
func (f *Function) sheet(s oauthflow.Sheet, b webpage.Brand, again map[string]string, problems []catalog.Problem) (*apigw.Response, error) {
	res, err := f.pages.form(s, b, again, problems)
	if err != nil {
		return nil, err
	}
	f.setCookie(res, s.CookieValue())
	return res, nil
}

// submit takes a form that came back.
func (f *Function) submit(ctx context.Context, r *apigw.Request, fl *oauthflow.Flow, p oauthflow.Page, token string) (*apigw.Response, error) {
	fields, err := readForm(r)
	if err != nil {
		return nil, f.knowing(ctx, p.Link, err)
	}
	s := oauthflow.Submission{Token: token, Cookie: f.browser(r), Proof: fields[proofField], Fields: fields}
	delete(fields, proofField)
	done, err := fl.Submit(ctx, s)
	if err != nil {
		return nil, f.knowing(ctx, p.Link, err)
	}
	if len(done.Problems) == 0 {
		return webpage.SeeOther(done.URL), nil
	}
	b, err := f.brandFor(ctx, p.Link.Scope)
	if err != nil {
		return nil, err
	}
	return f.sheet(done.Sheet, b, done.Again, done.Problems)
}

// readForm reads an HTML form strictly: each field once.
func readForm(r *apigw.Request) (map[string]string, error) {
	media, _, err := mime.ParseMediaType(r.Header("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, fault.New(fault.InvalidInput, "this page takes the form that it shows, and nothing else")
	}
	body, err := r.Body()
	if err != nil {
		return nil, err
	}
	return parseForm(body)
}

func parseForm(body []byte) (map[string]string, error) {
	if len(body) > maxForm || !utf8.Valid(body) {
		return nil, fault.New(fault.InvalidInput, "the form is too large, or not text")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil { // its text holds what was typed
		return nil, fault.New(fault.InvalidInput, "the form cannot be read")
	}
	out := map[string]string{}
	for name, values := range form {
		if len(values) != 1 {
			return nil, fault.New(fault.InvalidInput, "a field of the form is there twice")
		}
		out[name] = values[0]
	}
	return out, nil
}

// inputView is a field as the page draws it.
type inputView struct {
	catalog.Field
	Value, Problem string
}

func (p pages) form(s oauthflow.Sheet, b webpage.Brand, again map[string]string, problems []catalog.Problem) (*apigw.Response, error) {
	c := s.Connector
	said := map[string]string{}
	var general []string
	for _, x := range problems {
		if x.Field == "" {
			general = append(general, x.Message)
		}
		said[x.Field] = x.Message
	}
	inputs := make([]inputView, 0, len(s.Fields))
	for _, f := range s.Fields {
		v := inputView{Field: f, Problem: said[f.Name]}
		if !f.Secret {
			v.Value = again[f.Name]
		}
		inputs = append(inputs, v)
	}
	status := http.StatusOK
	if len(problems) > 0 {
		status = http.StatusUnprocessableEntity
	}
	return p.Render(p.formPage, status, webpage.Page{Title: "Connect " + c.Name, Brand: b, Forms: webpage.LeavingForms, Body: map[string]any{"Tenant": b.Name, "Connector": c.Name, "Principal": s.Link.Principal,
		"Reconnect": s.Link.Reconnect, "Permissions": webpage.PermissionsOf(c, s.Link.Scopes), "Inputs": inputs, "Proof": s.Proof, "General": general, "Problems": len(problems),
		"Leaves": c.Mode == catalog.ModeOAuth2, "Docs": c.DocsURL}})
}
