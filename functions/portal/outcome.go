package portal

import (
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/fault"
)

// outcome says in a person's words what became of a call that did not succeed: first whether anything happened, then why.
func outcome(provider string, a audit.Activity) string {
	code := fault.Code(a.Code)
	switch {
	case a.Outcome == "unknown" || code == fault.OutcomeUnknown:
		return "May have happened: " + provider + " did not answer"
	case a.Outcome == "refused":
		return "Not done: " + refusal(code)
	case code == fault.RateLimited:
		return "Did not work: too much at once for " + provider
	case code == fault.ReauthorizationRequired:
		return "Did not work: " + provider + " no longer accepts this connection"
	case code == fault.ScopeMissing:
		return "Did not work: you have not allowed this at " + provider
	case code == fault.ProviderError:
		return "Did not work: " + provider + " refused it or had an error"
	}
	return "Did not work"
}

// refusal says why a call was not made.
func refusal(code fault.Code) string {
	switch code {
	case fault.PolicyDenied:
		return "your organisation's rules forbid it"
	case fault.ApprovalRequired:
		return "somebody has to approve it first"
	case fault.ScopeMissing:
		return "you have not allowed this"
	case fault.ReauthorizationRequired:
		return "you have to connect again"
	case fault.Revoked:
		return "the access was ended"
	case fault.RateLimited:
		return "too many calls at once"
	case fault.Conflict:
		return "the connection was paused or the call was a repetition"
	case fault.InvalidInput, fault.NotFound:
		return "the agent asked for something that does not exist"
	}
	return "something went wrong on our side"
}
