package portal

import (
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/revoke"
	"behalf.dev/behalf/shared/webpage"
)

//go:embed page
var pageFiles embed.FS

// pages are what people see.
type pages struct {
	*webpage.Site
	listPage, onePage, leftPage, consentPage *template.Template
}

func newPages() (p pages, err error) {
	if p.Site, err = webpage.New(); err != nil {
		return p, err
	}
	if p.listPage, err = p.Template(pageFiles, "page/list.html"); err != nil {
		return p, err
	}
	if p.leftPage, err = p.Template(pageFiles, "page/left.html"); err != nil {
		return p, err
	}
	if p.consentPage, err = p.Template(pageFiles, "page/consent.html"); err != nil {
		return p, err
	}
	p.onePage, err = p.Template(pageFiles, "page/one.html")
	return p, err
}

// moment is a time for people and for machines.
type moment struct{ Text, Machine string }

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{t.UTC().Format("2 Jan 2006, 15:04 UTC"), t.UTC().Format(time.RFC3339)}
}

// card is one connection in a person's words.
type card struct {
	ID, Provider, Account string
	Status, Class         string
	Explain               string
	Ended                 bool
	// Report is what the provider answered, of one that has ended.
	Report      string
	Used        moment
	Since       moment
	Permissions []webpage.Permissions
	Lately      []line
}

// line is one execution, or one that was refused.
type line struct {
	What, Outcome, Agent, Over string
	Failed                     bool
	At                         moment
}

// perCard is how many executions a connection shows.
const perCard = 10

func (f *Function) cardOf(c connection.Connection, lately []audit.Activity) card {
	out := card{ID: string(c.ID), Provider: c.Connector, Account: cmp.Or(c.Account.Login, c.Account.Email, c.Account.Name, c.Account.ID), Since: momentOf(c.Created), Ended: c.Status == connection.Revoked}
	if spec, err := f.catalog.Connector(c.Connector); err == nil { // a folder that was taken away since does not hide a connection
		out.Provider, out.Permissions = spec.Name, webpage.PermissionsOf(spec, c.Scopes)
	}
	out.Status, out.Class, out.Explain = words(c.Status)
	used := c.Refresh.UsedAt
	for _, a := range lately {
		if a.Connection != string(c.ID) {
			continue
		}
		if a.Time.After(used) && a.Outcome != "refused" {
			used = a.Time
		}
		if len(out.Lately) < perCard {
			out.Lately = append(out.Lately, f.lineOf(a))
		}
	}
	out.Used = momentOf(used)
	if out.Ended {
		out.Since, out.Report = momentOf(c.Revocation.At), report(out.Provider, c.Revocation.Provider)
	}
	return out
}

func (f *Function) lineOf(a audit.Activity) line {
	l := line{What: a.Tool, Agent: a.Agent, At: momentOf(a.Time), Outcome: "Done"}
	if _, t, err := f.catalog.Tool(a.Tool); err == nil {
		l.What = t.Title
	}
	switch a.Channel { // the rest means nothing to people
	case audit.OverMCP:
		l.Over = "MCP"
	case audit.OverProxy:
		l.Over = "a direct request"
	}
	provider := a.Connector
	if spec, err := f.catalog.Connector(a.Connector); err == nil {
		provider = spec.Name
	}
	if a.Outcome != "succeeded" {
		l.Outcome, l.Failed = outcome(provider, a), true
	}
	return l
}

// words say a status in a person's words.
func words(s connection.Status) (word, class, explain string) {
	switch s {
	case connection.Active:
		return "Connected", "active", ""
	case connection.Paused:
		return "Paused", "attention", "Agents cannot use it until your organisation resumes it."
	case connection.ReauthorizationRequired:
		return "Needs you", "attention", "The permission has ended at the provider. Agents cannot use it until you connect again."
	case connection.Revoked:
		return "Disconnected", "off", "Agents cannot use it any more."
	}
	return "Not finished", "off", ""
}

// report says what a provider answered.
func report(provider, answer string) string {
	switch answer {
	case revoke.Done:
		return provider + " has confirmed that the access has ended there too."
	case revoke.Unsupported:
		return provider + " offers no way to end access from here. Our copy is erased; to be thorough, remove the app in your " + provider + " settings."
	case revoke.Shared:
		return "Another connection of yours uses the same permission at " + provider + ", so it was kept there. It ends with that one."
	case revoke.Nothing:
		return "There was nothing left to end at " + provider + "."
	case revoke.Failed:
		return provider + " did not answer. Our copy is erased; to be thorough, remove the app in your " + provider + " settings."
	}
	return provider + " has not answered yet. We keep asking, and agents cannot use the connection meanwhile."
}

func (p pages) list(v room, live, ended []card, logins []loginLine) (*apigw.Response, error) {
	return p.Render(p.listPage, http.StatusOK, webpage.Page{Title: "Your connections", Brand: v.brand, Forms: webpage.OwnForms, Body: map[string]any{"Tenant": v.brand.Name, "Principal": v.Principal, "Logins": logins, "Guard": v.Guard, "Live": live, "Ended": ended, "Back": v.ReturnURL}})
}

// left says goodbye.
func (p pages) left(b webpage.Brand, back string) (*apigw.Response, error) {
	return p.Render(p.leftPage, http.StatusOK, webpage.Page{Title: "You are signed out", Brand: b, Body: map[string]any{"Tenant": b.Name, "Back": back}})
}

// one asks before it disconnects a connection, and reports on one that is disconnected.
func (p pages) one(v room, c card) (*apigw.Response, error) {
	title := "Disconnect " + c.Provider + "?"
	if c.Ended {
		title = c.Provider + " is disconnected"
	}
	return p.Render(p.onePage, http.StatusOK, webpage.Page{Title: title, Brand: v.brand, Forms: webpage.OwnForms, Body: map[string]any{"Heading": title, "Tenant": v.brand.Name, "Card": c, "Guard": v.Guard}})
}
