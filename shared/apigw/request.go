package apigw

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"behalf.dev/behalf/shared/fault"
)

// MaxBody bounds a request body in bytes; API Gateway itself stops at 10 MB.
const MaxBody = 1 << 20

// Request is one HTTP request, read strictly.
type Request struct {
	event events.APIGatewayProxyRequest
	query url.Values
}

// NewRequest wraps an event.
func NewRequest(e events.APIGatewayProxyRequest) *Request {
	q := url.Values{}
	for k, v := range e.MultiValueQueryStringParameters {
		q[k] = v
	}
	if len(q) == 0 {
		for k, v := range e.QueryStringParameters {
			q.Set(k, v)
		}
	}
	return &Request{e, q}
}

// Method is the HTTP method.
func (r *Request) Method() string { return r.event.HTTPMethod }

// Resource is the route's pattern, as in Routes.
func (r *Request) Resource() string { return r.event.Resource }

// Names reports whether the route has a path parameter of that name.
func (r *Request) Names(param string) bool { _, ok := r.event.PathParameters[param]; return ok }

// ID is API Gateway's request id.
func (r *Request) ID() string { return r.event.RequestContext.RequestID }

// Path is the value of a path parameter, decoded; API Gateway hands it over as it stood in the URL.
func (r *Request) Path(name string) (string, error) {
	raw := r.event.PathParameters[name]
	s, err := url.PathUnescape(raw)
	if err != nil {
		return "", fault.Invalid(name, "the path is not properly escaped")
	}
	return s, nil
}

// RawPath is the value of a path parameter as it stood in the URL, still escaped.
func (r *Request) RawPath(name string) string { return r.event.PathParameters[name] }

// Headers is all headers.
func (r *Request) Headers() http.Header {
	h := http.Header{}
	for k, values := range r.event.MultiValueHeaders {
		for _, v := range values {
			h.Add(k, v)
		}
	}
	if len(h) == 0 {
		for k, v := range r.event.Headers {
			h.Set(k, v)
		}
	}
	return h
}

// Header is the first value of a header, by any case.
func (r *Request) Header(name string) string {
	for k, v := range r.event.MultiValueHeaders {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	for k, v := range r.event.Headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// Cookie is the value of a cookie, empty when there is none.
func (r *Request) Cookie(name string) string {
	h := http.Request{Header: http.Header{"Cookie": {r.Header("Cookie")}}}
	c, err := h.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// SameSite fails on a form that another site's page sent: fault.Forbidden with reason "cross_site". Browsers say where a
// request comes from in Sec-Fetch-Site (Fetch Metadata); a client that does not is held to its cookies alone. Origin is not
// looked at: our pages send no referrer, and browsers then send "null".
func (r *Request) SameSite() error {
	switch r.Header("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return nil
	}
	return fault.New(fault.Forbidden, "this form was sent from another site's page").With("reason", "cross_site")
}

// Query is all query parameters, decoded.
func (r *Request) Query() url.Values { return r.query }

// Only fails on a query parameter that is not allowed, or is given twice.
func (r *Request) Only(allowed ...string) error {
	for k, v := range r.query {
		if !slices.Contains(allowed, k) {
			if len(allowed) == 0 {
				return fault.Invalid(k, "this request takes no query parameters, and has %q", clip(k))
			}
			return fault.Invalid(k, "unknown parameter %q; known are %s", clip(k), strings.Join(allowed, ", "))
		}
		if len(v) > 1 {
			return fault.Invalid(k, "parameter %q is given %d times", k, len(v))
		}
	}
	return nil
}

// Limit reads the parameter "limit": 1 to most, fallback when absent.
func (r *Request) Limit(fallback, most int) (int, error) {
	s := r.query.Get("limit")
	if s == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, fault.Invalid("limit", "limit is a number from 1 to %d", most)
	}
	return n, nil
}

// Body is the raw body, of at most MaxBody bytes.
func (r *Request) Body() ([]byte, error) { return r.BodyUpTo(MaxBody) }

// BodyUpTo is the raw body; fault.InvalidInput when it is larger than limit bytes.
func (r *Request) BodyUpTo(limit int) ([]byte, error) {
	b := []byte(r.event.Body)
	if r.event.IsBase64Encoded {
		var err error
		if b, err = base64.StdEncoding.DecodeString(r.event.Body); err != nil {
			return nil, fault.New(fault.InvalidInput, "the body cannot be read").WithCause(err)
		}
	}
	if len(b) > limit {
		return nil, fault.New(fault.InvalidInput, "the body is larger than %d bytes", limit)
	}
	return b, nil
}

// JSON decodes the body into a struct: exactly one JSON object, no unknown and no repeated member, each named in the
// error with its JSON pointer.
func (r *Request) JSON(into any) error {
	b, err := r.Body()
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return fault.New(fault.InvalidInput, "the body is empty; send a JSON object")
	}
	if !utf8.Valid(b) { // decoders would replace what is not, and two names become one
		return fault.New(fault.InvalidInput, "the body is not UTF-8")
	}
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) { // which encoding/json takes for an empty struct
		return fault.New(fault.InvalidInput, "the body must be a JSON object, not null")
	}
	if loneSurrogate(b) { // which decoders replace as well
		return fault.New(fault.InvalidInput, "the body has an escape that is half of a character (\\ud800 to \\udfff without its other half)")
	}
	if err := repeated(b); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.InvalidInput, "the body holds more than one JSON value")
	}
	return nil
}

func badJSON(err error) error {
	var te *json.UnmarshalTypeError
	if errors.As(err, &te) {
		if te.Field == "" {
			return fault.New(fault.InvalidInput, "the body must be a JSON object, not %s", te.Value)
		}
		return fault.Invalid("/"+strings.ReplaceAll(te.Field, ".", "/"), "%s has the wrong type: %s", te.Field, te.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = clip(strings.Trim(name, `"`))
		return fault.Invalid("/"+name, "unknown field %q", name)
	}
	return fault.New(fault.InvalidInput, "the body is not valid JSON").WithCause(err)
}

// repeated fails on an object, at any depth, that names a member twice: decoders differ in which one counts, and a check
// must not read another value than the code behind it. The outermost object is ours and encoding/json matches its members
// by any case, so it is compared by any case, and may have none with letters outside of ASCII, some of which encoding/json takes for
// others ("ſ" for "s"); what is inside may be a tool's input, where case makes a difference.
func repeated(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	var open []*level
	for {
		t, err := d.Token()
		if err != nil {
			return nil // the end, or no JSON; the decoder proper says so
		}
		var in *level
		if len(open) > 0 {
			in = open[len(open)-1]
		}
		switch {
		case t == json.Delim('}') || t == json.Delim(']'):
			open = open[:len(open)-1]
			continue
		case in != nil && in.names != nil && !in.value:
			if name := fmt.Sprint(t); len(open) == 1 && !ascii(name) {
				return fault.Invalid("/"+clip(name), "unknown field %q", clip(name))
			}
			if pointer, twice := in.name(open, fmt.Sprint(t)); twice {
				return fault.Invalid(pointer, "field %q is given twice", clip(pointer[strings.LastIndex(pointer, "/")+1:]))
			}
			continue
		case in != nil:
			in.value = false
		}
		switch t {
		case json.Delim('{'):
			open = append(open, &level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, &level{})
		}
	}
}

// level is an object or array that the reader is in; names is nil in an array.
type level struct {
	names map[string]bool
	last  string
	value bool // the next token begins the value of last
}

// name notes a member's name and reports whether it was there before, with its JSON pointer.
func (l *level) name(open []*level, name string) (pointer string, twice bool) {
	same := name
	if len(open) == 1 {
		same = strings.ToLower(name)
	}
	l.last, l.value = same, true
	if !l.names[same] {
		l.names[same] = true
		return "", false
	}
	for _, o := range open {
		if o.names != nil {
			pointer += "/" + clip(o.last)
		}
	}
	return pointer, true
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// Authorizer is a value that our authorizer put into the request's context.
func (r *Request) Authorizer(name string) string {
	s, _ := r.event.RequestContext.Authorizer[name].(string)
	return s
}
