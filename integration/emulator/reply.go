package emulator

import (
	"encoding/json"
	"net/http"
	"strings"
)

// reply is an answer held back until the log line is written and a lost_reply
// fault had its chance.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	outcome string // for the log: ok or the provider's error code
	cut     bool   // no answer: the connection is closed
}

func (o reply) write(w http.ResponseWriter) {
	for name, values := range o.header {
		w.Header()[name] = values
	}
	w.WriteHeader(o.status)
	_, _ = w.Write(o.body) // the client may be gone; nobody to tell
}

// set adds a header and returns the reply, for chaining.
func (o reply) set(name, value string) reply {
	if o.header == nil {
		o.header = http.Header{}
	}
	o.header.Set(name, value)
	return o
}

func jsonReply(status int, v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		return reply{status: http.StatusInternalServerError, outcome: "unencodable answer"}
	}
	out := reply{status: status, body: body, outcome: "ok"}
	return out.set("Content-Type", "application/json; charset=utf-8").set("Cache-Control", "no-store")
}

func textReply(status int, text, outcome string) reply {
	out := reply{status: status, body: []byte(text), outcome: outcome}
	return out.set("Content-Type", "text/plain; charset=utf-8")
}

func emptyReply(status int) reply { return reply{status: status, outcome: "ok"} }

// failed names the provider's error code for the log.
func (o reply) failed(outcome string) reply {
	o.outcome = outcome
	return o
}

// object is a JSON object under construction.
type object map[string]any

// splitScopes reads both separators in use: space (RFC 6749) and comma.
func splitScopes(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
}
