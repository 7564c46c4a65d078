package egress

import (
	"io"
	"net/http"

	"behalf.dev/behalf/shared/fault"
)

// DefaultMaxStream is the default of Options.MaxStream: Lambda streams up to 200 MB (Lambda Developer Guide, "Response
// streaming for Lambda functions").
const DefaultMaxStream = 200_000_000

// Stream is a provider's answer whose body is still to be read.
type Stream struct {
	Status int
	Header http.Header
	// Body ends with io.EOF when the provider sent all of it. Other errors are faults. Close it.
	Body io.ReadCloser
}

// Open sends r and returns as soon as the answer's head is there. The body is bound to r's context and to
// Options.MaxStream. Errors are those of Do.
func (c *Client) Open(r *http.Request) (Stream, error) {
	res, err := ask(c.open, r)
	if err != nil {
		return Stream{}, err
	}
	return Stream{res.StatusCode, res.Header, body{res.Body}}, nil
}

// body classifies the errors of reading.
type body struct{ io.ReadCloser }

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { // io.ErrUnexpectedEOF is a body that is shorter than it was said to be
		err = classify(err, true)
	}
	return n, err
}

// decoded refuses a body that is still compressed: nobody could tell what it holds. net/http asks for gzip by itself, undoes
// it and drops the header; what is left was not asked for, or comes in answer to a Range (RFC 9110, section 8.4).
func decoded(r *http.Request, res *http.Response) error {
	var named []string
	for _, v := range res.Header.Values("Content-Encoding") {
		if v != "" && v != "identity" {
			named = append(named, v)
		}
	}
	if len(named) == 0 || r.Method == http.MethodHead || res.ContentLength == 0 || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		return nil
	}
	return fault.New(fault.ProviderError, "the provider's answer is compressed in a way that was not asked for (%.40q), and is not handed on unseen; ask for it without a Range", named[0]).
		With("reason", "response_encoded")
}
