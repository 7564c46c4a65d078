package callback

import (
	"errors"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/webpage"
)

// approve asks a person about a call; data is made by Function.request.
func (p pages) approve(b webpage.Brand, data map[string]any) (*apigw.Response, error) {
	return p.Render(p.approvePage, http.StatusOK, webpage.Page{Title: "Approve a call", Brand: b, Forms: webpage.OwnForms, Body: data})
}

// approved says what a person's answer leads to.
func (p pages) approved(b webpage.Brand, data map[string]any) (*apigw.Response, error) {
	return p.Render(p.approvedPage, http.StatusOK, webpage.Page{Title: "Your answer", Brand: b, Body: data})
}

// What an approver can do when an answer did not count.
const (
	openNew   = "If the call still waits, open it again in the application that sent you here: it gives you a new link. Your answer was not counted on this page."
	nothingTo = "Nothing: you can close this page. If you expected the call to wait for you still, open it again in the application that sent you here. Your answer was not counted on this page."
)

// notApproved tells a person that an answer did not count, why, and what to do.
func (p pages) notApproved(err error, requestID string) *apigw.Response {
	e, known := fault.From(err), &webpage.Failed{}
	_ = errors.As(err, &known)
	reason, _ := e.Detail["reason"].(string)
	heading, message, next := "This answer cannot be accepted", sentence(e.Message), openNew
	switch {
	case reason == "other_browser":
		heading, next = "This call was opened in another browser", "Answer in the browser in which you opened it. If that was not you, tell the people who run the application, and give them the reference."
	case reason == "link_used":
		heading, message, next = "This link was already used", "The answer that was given through it counts, and this page changes nothing.", "You can close this page. If the call waits again, open it in the application that sent you here: it gives you a new link."
	case reason == "asked_again":
		heading = "The agent has asked anew"
	case e.Code == fault.Conflict:
		heading, next = "There is nothing to decide here any more", nothingTo
	case e.Code == fault.NotFound:
		heading = "This link no longer works"
	case e.Code == fault.RateLimited:
		heading, next = "Too much is going on right now", "Wait a minute and try again. Your answer was not counted."
	case e.Code == fault.Internal:
		heading, next = "Something went wrong on our side", "Try again in a few minutes. If it happens again, tell the people who run the application, and give them the reference."
	}
	res, rerr := p.Render(p.notApprovedPage, e.Code.Status(), webpage.Page{Title: heading, Brand: known.Brand, Body: map[string]any{"Heading": heading, "Message": message, "Next": next, "Reference": requestID}})
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
