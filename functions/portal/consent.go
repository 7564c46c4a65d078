package portal

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/mcpauth"
	"behalf.dev/behalf/shared/webpage"
)

// allowance is what a client could do with one connection, in a person's words.
type allowance struct {
	Provider, Account string
	Permissions       []webpage.Permissions
	// Tools are the only ones, when the login names tools.
	Tools []string
}

// allowedBy is what a login lets its client do with the connections that there are today.
func (f *Function) allowedBy(l mcpauth.Login, all []connection.Connection) []allowance {
	var out []allowance
	limits := authn.Session{Connectors: l.Connectors}
	for _, c := range all {
		if c.Status == connection.Revoked || c.Refresh.Generation == 0 || !limits.Allows(c.Connector, "") {
			continue
		}
		a := allowance{Provider: c.Connector, Account: cmp.Or(c.Account.Login, c.Account.Email, c.Account.Name, c.Account.ID)}
		if spec, err := f.catalog.Connector(c.Connector); err == nil {
			a.Provider, a.Permissions = spec.Name, webpage.PermissionsOf(spec, c.Scopes)
		}
		for _, name := range l.Tools {
			if spec, t, err := f.catalog.Tool(name); err == nil && spec.ID == c.Connector {
				a.Tools = append(a.Tools, cmp.Or(t.Title, t.Name))
			}
		}
		if len(l.Tools) > 0 && len(a.Tools) == 0 {
			continue
		}
		slices.Sort(a.Tools)
		out = append(out, a)
	}
	return out
}

// consent asks whether a client may act for a person. What is proven stands in the heading: the host of the client's id. The name is its own word.
func (p pages) consent(a asked, allowed []allowance) (*apigw.Response, error) {
	return p.Render(p.consentPage, http.StatusOK, webpage.Page{Title: "Let " + host(a.ClientID) + " act for you?", Brand: a.brand, Forms: webpage.LeavingForms, Body: map[string]any{
		"Tenant": a.brand.Name, "Principal": mcpauth.Visible(string(a.Principal)), "Host": host(a.ClientID), "Client": a.ClientID, "Name": a.ClientName, "Back": host(a.RedirectURI),
		"Loopback": mcpauth.Loopback(a.RedirectURI), "Allowed": allowed, "Limited": len(a.Connectors)+len(a.Tools) > 0, "Lasting": a.Refresh, "Guard": a.Guard}})
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
