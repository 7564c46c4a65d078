package callback

import (
	"context"
	"embed"
	"html/template"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
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
func brand(ctx context.Context, w workspace.Workspace, id tenant.ID) (webpage.Brand, error) {
	t, err := w.DB.Tenant(ctx, id)
	if err != nil {
		return webpage.Brand{}, err
	}
	return workspace.Brand(ctx, w.DB, t)
}

// brandFor is brand under credentials for the scope.
func (f *Function) brandFor(ctx context.Context, s tenant.Scope) (webpage.Brand, error) {
	w, err := f.workspaceFor(ctx, s)
	if err != nil {
		return webpage.Brand{}, err
	}
	return brand(ctx, w, s.Tenant)
}
