package webpage

import (
	"cmp"
	"errors"
	"unicode"
	"unicode/utf8"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/fault"
)

// Failed is an error that happened to somebody whose way back is known.
type Failed struct {
	Err   error
	Brand Brand
	// Back is the page of the product that the person came from, without anything secret in it; empty when unknown.
	Back string
	// BackTo is what Back is called; empty means the brand's name.
	BackTo string
}

// Error implements error.
func (f *Failed) Error() string { return f.Err.Error() }

// Unwrap gives the error itself.
func (f *Failed) Unwrap() error { return f.Err }

// advice says in a person's words what happened and what to do about it.
type advice struct{ heading, next string }

const (
	startAgain = "Go back to the application that sent you here and start again from there. Nothing was connected."
	askForNew  = "Go back to the application that sent you here and ask for a new link. Nothing was connected."
)

// reasons are for what fault.Error.Detail calls "reason"; what is not in it is looked up in codes.
var reasons = map[string]advice{
	"link_expired":       {"This link has expired", askForNew},
	"link_used":          {"This link was already used", "If you finished connecting, you can close this page. If not, go back to the application that sent you here and ask for a new link."},
	"other_browser":      {"You started this in another browser", "Go on in the browser in which you started. If somebody sent you this link, close this page: nothing was connected."},
	"no_cookie":          {"Your browser did not keep our cookie", "Open the link again. If this page comes back, allow cookies for this site, or leave private browsing, and ask for a new link. Nothing was connected."},
	"cross_site":         {"This was not started on our page", "Open the link that you were given and continue from there. Nothing was connected."},
	"state_replaced":     {"You started again in the meantime", "Go on where you started last, perhaps in another tab, or start again from the application that sent you here. Nothing was connected here."},
	"state_used":         {"This step is already done", "Go back to the application that sent you here: it knows how it went. Going through this page again changes nothing."},
	"issuer_mismatch":    {"This sign-in did not come from where we sent you", startAgain + " If it happens again, tell the people who run that application and give them the reference."},
	"other_context":      {"This sign-in did not come from where we sent you", startAgain + " If it happens again, tell the people who run that application and give them the reference."},
	"login_answered":     {"This was answered already", "Go back to your MCP client. If it does not go on, start the login there again."},
	"login_expired":      {"This login took too long", "Start it again in your MCP client. Nothing was allowed."},
	"invalid_client":     {"We do not know this program", "The program that sent you here does not say properly what it is. Tell whoever makes it, and give them the reference. Nothing was allowed."},
	"portal_expired":     {"Your visit has ended", "Open your connections again from the application that sent you here."},
	"not_signed_in":      {"This page needs a link", "Open your connections from the application that you use them with."},
	"no_connection":      {"This connection is not here", "It may belong to somebody else, or have been disconnected long ago. Look at the list of your connections."},
	"form_expired":       {"This page was open for too long", "Go back, reload the page and try again. Nothing was changed."},
	"answer_refused":     {"The answer that came back is not one we can use", startAgain + " If it happens again, tell the people who run that application and give them the reference."},
	"answer_incomplete":  {"The answer that came back lacks something", startAgain + " If it happens again, tell the people who run that application and give them the reference."},
	"not_yours":          {"That is not among what your account can reach", "Go back to the application that sent you here, start again, and choose something that is yours. Nothing was connected."},
	"nothing_to_connect": {"Your account has nothing to connect there", "Sign in there and look whether you can open what you want to connect; then ask for a new link. Nothing was connected."},
}

var codes = map[fault.Code]advice{
	fault.NotFound:      {"This link does not work", askForNew},
	fault.Conflict:      {"This link was already used", askForNew},
	fault.InvalidInput:  {"This page was opened in a way we do not know", startAgain},
	fault.Forbidden:     {"This sign-in cannot be accepted", startAgain},
	fault.Revoked:       {"This access was ended", "Ask the administrator of your organisation whether you should have it."},
	fault.RateLimited:   {"Too much is going on right now", "Wait a minute and try again. Nothing was lost."},
	fault.ProviderError: {"The other side did not answer as it should", "Try again in a few minutes. Nothing was connected."},
}

// adviceOn finds the advice, and the sentence to put before it: an error's own message, unless the reason is well known and
// the heading says it better.
func adviceOn(e *fault.Error) (a advice, message string) {
	if reason, ok := e.Detail["reason"].(string); ok {
		if a, ok := reasons[reason]; ok {
			return a, ""
		}
	}
	if a, ok := codes[e.Code]; ok {
		return a, sentence(e.Message)
	}
	return advice{"Something went wrong on our side", "Try again in a few minutes. If it happens again, tell the people who run the application and give them the reference."}, ""
}

// Failure shows err to a person: what happened, what to do, the way back if it is known, and the request id to quote.
func (s *Site) Failure(err error, requestID string) *apigw.Response {
	e, known := fault.From(err), &Failed{}
	_ = errors.As(err, &known)
	a, message := adviceOn(e)
	res, rerr := s.Render(s.failure, e.Code.Status(), Page{Title: a.heading, Brand: known.Brand, Body: map[string]any{
		"Heading": a.heading, "Message": message, "Next": a.next, "Back": known.Back, "BackTo": cmp.Or(known.BackTo, known.Brand.Name), "Reference": requestID}})
	if rerr != nil {
		return apigw.Problem(err, requestID)
	}
	return res
}

// sentence gives a message a capital and a full stop.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	s = string(unicode.ToUpper(first)) + s[size:]
	if last := s[len(s)-1]; last != '.' && last != '?' {
		s += "."
	}
	return s
}
