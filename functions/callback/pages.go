package callback

import (
	"context"
	"embed"
	"html/template"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/webpage"
	"behalf.dev/behalf/shared/workspace"
)

//go:embed page
var pageFiles embed.FS

// pages are what people see.
type pages struct {
	*webpage.Site
	connectPage, formPage, donePage, choosePage *template.Template
	approvePage, approvedPage, notApprovedPage  *template.Template
}

func newPages() (p pages, err error) {
	if p.Site, err = webpage.New(); err != nil {
		return p, err
	}
	if p.connectPage, err = p.Template(pageFiles, "page/connect.html"); err != nil {
		return p, err
	}
	if p.formPage, err = p.Template(pageFiles, "page/form.html"); err != nil {
		return p, err
	}
	if p.donePage, err = p.Template(pageFiles, "page/done.html"); err != nil {
		return p, err
	}
	if p.choosePage, err = p.Template(pageFiles, "page/choose.html"); err != nil {
		return p, err
	}
	for name, to := range map[string]**template.Template{"approve": &p.approvePage, "approved": &p.approvedPage, "notapproved": &p.notApprovedPage} {
		if *to, err = p.Template(pageFiles, "page/"+name+".html"); err != nil {
			return p, err
		}
	}
	return p, nil
}

// connect asks for the consent that the provider then asks for again. login is the account's, if it is known already.
func (p pages) connect(page oauthflow.Page, b webpage.Brand, login string) (*apigw.Response, error) {
	c := page.Connector
	return p.Render(p.connectPage, http.StatusOK, webpage.Page{Title: "Connect " + c.Name, Brand: b, Forms: webpage.LeavingForms, Body: map[string]any{"Tenant": b.Name, "Connector": c.Name,
		"Principal": page.Link.Principal, "Reconnect": page.Link.Reconnect, "Login": login, "Permissions": webpage.PermissionsOf(c, page.Link.Scopes)}})
}

// done is what a link shows once it has done its work, to those who come back to it.
func (p pages) done(page oauthflow.Page, b webpage.Brand) (*apigw.Response, error) {
	confirmed, title := page.Link.Status == oauthflow.LinkConfirmed, "Nearly done"
	if confirmed {
		title = page.Connector.Name + " is connected"
	}
	return p.Render(p.donePage, http.StatusOK, webpage.Page{Title: title, Brand: b, Body: map[string]any{"Tenant": b.Name, "Connector": page.Connector.Name,
		"Confirmed": confirmed, "Back": page.Link.ReturnURL}})
}

// brand is how the tenant of a link presents itself.
func brand(ctx context.Context, w workspace.Workspace, l oauthflow.Link) (webpage.Brand, error) {
	t, err := w.DB.Tenant(ctx, l.Tenant)
	if err != nil {
		return webpage.Brand{}, err
	}
	b := webpage.Brand{Name: t.Name, Accent: t.Accent}
	if b.Name == "" {
		b.Name = string(t.ID)
	}
	if t.HasLogo {
		b.Logo, err = w.DB.Logo(ctx, l.Tenant)
	}
	return b, err
}

// approve asks a person about a call; data is made by Function.request.
func (p pages) approve(data map[string]any) (*apigw.Response, error) {
	return p.Render(p.approvePage, http.StatusOK, webpage.Page{Title: "Approve a call", Forms: webpage.OwnForms, Body: data})
}

// approved says what a person's answer leads to.
func (p pages) approved(data map[string]any) (*apigw.Response, error) {
	return p.Render(p.approvedPage, http.StatusOK, webpage.Page{Title: "Your answer", Body: data})
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
	res, rerr := p.Render(p.notApprovedPage, e.Code.Status(), webpage.Page{Title: heading, Body: map[string]any{"Heading": heading, "Message": sentence(e.Message), "Reference": requestID}})
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
