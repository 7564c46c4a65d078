package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/webpage"
)

// leave ends the visit, in the store and in this browser: a copy of the cookie opens nothing any more. Leaving without a visit,
// as after a second click, is leaving too.
func (f *Function) leave(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	form, err := f.form(r)
	if err != nil {
		return nil, err
	}
	if err := r.SameSite(); err != nil {
		return nil, err
	}
	v, err := f.visiting(ctx, r)
	if fault.Is(err, fault.Unauthenticated) { // never was here, or has left; who left is told so in the same words
		b, back := webpage.Brand{}, ""
		if known := (*webpage.Failed)(nil); errors.As(err, &known) {
			b, back = known.Brand, known.Back
		}
		return f.left(b, back)
	}
	if err != nil {
		return nil, err
	}
	db, err := f.db(ctx, v.Scope)
	if err != nil {
		return nil, err
	}
	b, err := brand(ctx, db, v.Tenant)
	if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Revoked) { // leaving is for everybody
		return nil, err
	}
	if err := (room{v, db, b}).guarded(r, form.Get("guard")); err != nil {
		return nil, f.here(room{v, db, b}, err)
	}
	v.Expires = f.deps.Now()
	if _, err := db.PutVisit(ctx, digest(r.Cookie(f.cookieName())), v); err != nil && !fault.Is(err, fault.Conflict) { // a second click was faster
		return nil, err
	}
	return f.left(b, v.ReturnURL)
}

// left is the page of somebody who is gone, and takes the cookie away.
func (f *Function) left(b webpage.Brand, back string) (*apigw.Response, error) {
	res, err := f.pages.left(b, back)
	if err != nil {
		return nil, err
	}
	res.Header.Set("Set-Cookie", f.cookie("", -1).String())
	return res, nil
}

// form reads the one form that our pages have.
func (f *Function) form(r *apigw.Request) (url.Values, error) {
	body, err := r.BodyUpTo(maxForm)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fault.New(fault.InvalidInput, "the form cannot be read").WithCause(err)
	}
	return form, nil
}

// cookie is the visit's, for age seconds; a negative age takes it away.
func (f *Function) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: f.cookieName(), Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: f.secure()}
}
