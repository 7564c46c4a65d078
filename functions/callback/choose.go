package callback

import (
	"context"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/webpage"
)

// choiceField is the field of the page's form that names a place.
const choiceField = "choice"

// choiceNeeded tells the back end where to send the person's browser next.
func choiceNeeded(c oauthflow.Confirmed) (*apigw.Response, error) {
	return apigw.JSON(http.StatusAccepted, map[string]any{"status": oauthflow.LinkChoosing, "connection_id": c.ID, "choose_url": c.ChooseURL})
}

// chosen reports that a link was ended by a choice, so that a form that comes for it may be a second click.
func chosen(p oauthflow.Page) bool {
	return p.Connector != nil && p.Link.Browser != "" && (p.Link.Status == oauthflow.LinkConfirmed || p.Link.Status == oauthflow.LinkConfirming)
}

// question asks which place a connection is for, in the browser that consented.
func (f *Function) question(fl *oauthflow.Flow, p oauthflow.Page, b webpage.Brand, cookie, problem string) (*apigw.Response, error) {
	q, err := fl.Question(p, cookie)
	if err != nil {
		return nil, &webpage.Failed{Err: err, Brand: b, Back: p.Link.ReturnURL}
	}
	return f.pages.choose(q, b, problem)
}

// choose takes the choice.
func (f *Function) choose(ctx context.Context, r *apigw.Request, fl *oauthflow.Flow, p oauthflow.Page, token string) (*apigw.Response, error) {
	fields, err := readForm(r)
	if err != nil {
		return nil, f.knowing(ctx, p.Link, err)
	}
	to, err := fl.Choose(ctx, oauthflow.Chosen{Token: token, Cookie: f.browser(r), Proof: fields[proofField], Place: fields[choiceField]})
	if e := fault.From(err); err != nil && e.Code == fault.InvalidInput && e.Field == choiceField && wantsPage(r) {
		b, err := f.brandFor(ctx, p.Link.Scope)
		if err != nil {
			return nil, err
		}
		return f.question(fl, p, b, f.browser(r), "Choose one of these first.")
	}
	if err != nil {
		return nil, f.knowing(ctx, p.Link, err)
	}
	return webpage.SeeOther(to), nil
}

// placeView is a place as the page draws it.
type placeView struct {
	catalog.Place
	Number int
}

func (p pages) choose(q oauthflow.Question, b webpage.Brand, problem string) (*apigw.Response, error) {
	places := make([]placeView, 0, len(q.Places))
	for i, place := range q.Places {
		places = append(places, placeView{place, i})
	}
	status := http.StatusOK
	if problem != "" {
		status = http.StatusUnprocessableEntity
	}
	return p.Render(p.choosePage, status, webpage.Page{Title: "Choose in " + q.Connector.Name, Brand: b, Forms: webpage.LeavingForms, Body: map[string]any{"Tenant": b.Name, "Connector": q.Connector.Name,
		"Principal": q.Link.Principal, "Places": places, "Proof": q.Proof, "Problem": problem}})
}
