package oauthflow

import (
	"context"
	"crypto/subtle"
	"maps"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// Sheet is a form page for one browser.
type Sheet struct {
	Page
	Fields []catalog.Field
	// Cookie is what the browser must bring back, Proof what the form must: together they show that the form was sent by the
	// browser that got the page, and from that page.
	Cookie secret.Text
	Proof  string
	MaxAge time.Duration
}

// Sheet is the form of a link for a browser that presented cookie. Like showing a page, it uses nothing up.
func (f *Flow) Sheet(p Page, cookie string) Sheet {
	if len(cookie) < 20 || len(cookie) > 64 {
		cookie = f.NewSecret()
	}
	return Sheet{Page: p, Fields: p.Asked(), Cookie: secret.FromString(cookie), Proof: proof(cookie, p.Link), MaxAge: p.Link.Expires.Sub(f.Now())}
}

// proof can be made by whoever knows the cookie, which only the browser and we do.
func proof(cookie string, l Link) string { return digest("form|" + cookie + "|" + l.ID) }

// Submission is a form that came back.
type Submission struct {
	// Token is the link's public token.
	Token, Cookie, Proof string
	Fields               map[string]string
}

// Submitted is what becomes of a form: where the browser goes next, or what to correct.
type Submitted struct {
	Departure
	// Problems are for the same page again, with Again as its content: no secret is in it.
	Problems []catalog.Problem
	Sheet    Sheet
	Again    map[string]string
}

// Submit takes a form. What it holds is checked, parked like a code, sealed, and proved by nobody before Confirm; a
// connector with a consent page goes there instead. It returns fault.Forbidden when the form comes from another browser
// than the one that got the page.
func (f *Flow) Submit(ctx context.Context, s Submission) (Submitted, error) {
	return again(func() (Submitted, error) { return f.submit(ctx, s) })
}

func (f *Flow) submit(ctx context.Context, s Submission) (Submitted, error) {
	p, err := f.Show(ctx, s.Token)
	own := s.Cookie != "" && subtle.ConstantTimeCompare([]byte(s.Proof), []byte(proof(s.Cookie, p.Link))) == 1
	if err != nil {
		if own && p.Link.Status == LinkConsented && p.Connector != nil && p.Connector.Mode != catalog.ModeOAuth2 {
			// A second click: the browser shows only what it gets, and what was parked stays as it is.
			return Submitted{Departure: Departure{URL: p.Link.back()}}, nil
		}
		return Submitted{}, err
	}
	if !own {
		f.audit(ctx, p.Link, audit.LinkRefused, audit.Record{Reason: "other_browser"})
		return Submitted{}, fault.New(fault.Forbidden, "this form was not sent from the page that this browser was shown; open the link again").With("reason", "other_browser")
	}
	values, problems := p.read(s.Fields)
	if len(problems) > 0 {
		return Submitted{Problems: problems, Sheet: f.Sheet(p, s.Cookie), Again: p.harmless(s.Fields)}, nil
	}
	if p.Connector.Mode == catalog.ModeOAuth2 {
		p.Link.Typed = p.Connector.Metadata(values)
		d, err := f.depart(ctx, p, s.Cookie)
		return Submitted{Departure: d}, err
	}
	to, err := f.parkForm(ctx, p, values, s.Cookie)
	return Submitted{Departure: Departure{URL: to}}, err
}

// read checks the fields that were asked for, and adds those that were known.
func (p Page) read(given map[string]string) (catalog.Values, []catalog.Problem) {
	all := maps.Clone(given)
	if all == nil {
		all = map[string]string{}
	}
	var fixed []catalog.Problem
	for name, v := range p.Link.Params {
		if _, twice := all[name]; twice {
			fixed = append(fixed, catalog.Problem{Message: name + " is fixed for this link."})
		}
		all[name] = v
	}
	values, problems := p.Connector.ReadValues(all)
	return values, append(problems, fixed...)
}

// harmless is what may be shown again of a form: the fields of the page that are not secret.
func (p Page) harmless(given map[string]string) map[string]string {
	out := map[string]string{}
	for _, field := range p.Asked() {
		if v := given[field.Name]; !field.Secret && len(v) <= field.MaxLength {
			out[field.Name] = v
		}
	}
	return out
}

// parkForm seals what was typed. The update is conditional, so of two forms one wins.
func (f *Flow) parkForm(ctx context.Context, p Page, values catalog.Values, cookie string) (string, error) {
	l := p.Link
	seed, err := catalog.Seed{Values: values, Scopes: l.Scopes}.Text()
	if err != nil {
		return "", err
	}
	if l.Code, err = f.Sealer.Seal(ctx, parked(l, "form"), seed); err != nil {
		return "", err
	}
	l.Status, l.ParkedUntil = LinkConsented, f.Now().Add(ParkTTL)
	if p.Connector.MayAsk() {
		l.Browser = digest(cookie)
	}
	done, err := f.Links.UpdateLink(ctx, l)
	if err != nil {
		return "", err
	}
	return done.back(), nil
}
