package toolcall

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
)

// Limits of an answer. Lambda answers with at most 6 MB, in which our JSON stands as text and so grows a little.
const (
	DefaultMaxBytes = 1 << 20
	MostBytes       = 4 << 20
	leastBytes      = 1 << 10
	MostPages       = 10
	maxCursor       = 64 << 10
	// pageTime is what must remain of a call's time for one more page.
	pageTime = 5 * time.Second
)

// list is how an answer goes on: where its items are, and how the next page is found in a provider's answer.
type list struct {
	items string
	next  func(header http.Header, body []byte) (catalog.Page, bool)
}

// position is where in a list a call starts. A caller holds it as a cursor and may change it at will: it says no more
// than an input can, and is checked like one.
type position struct {
	Tool  string          `json:"t"`
	Input json.RawMessage `json:"i"`
	Page  catalog.Page    `json:"p"`
	// Skip is how many items of that page were given before.
	Skip int `json:"s,omitempty"`
}

func (p position) cursor() string {
	b, _ := json.Marshal(p) // it holds nothing that cannot be marshalled
	return base64.RawURLEncoding.EncodeToString(b)
}

// check bounds what the caller says about the answer.
func (c Call) check() error {
	switch {
	case c.Pages < 0 || c.Pages > MostPages:
		return fault.Invalid("/pages", "pages is 1 to %d", MostPages)
	case c.MaxBytes != 0 && (c.MaxBytes < leastBytes || c.MaxBytes > MostBytes):
		return fault.Invalid("/max_bytes", "max_bytes is %d to %d", leastBytes, MostBytes)
	case c.Cursor != "" && len(c.Input) > 0 && string(c.Input) != "{}":
		return fault.Invalid("/input", "a cursor holds the input of the call that it goes on from; leave input out")
	}
	return nil
}

// position reads where the call starts.
func (c Call) position() (position, error) {
	if c.Cursor == "" {
		return position{Tool: c.Tool, Input: c.Input}, nil
	}
	var p position
	b, err := base64.RawURLEncoding.DecodeString(c.Cursor)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || p.Tool != c.Tool || p.Skip < 0 || len(c.Cursor) > maxCursor {
		return p, fault.Invalid("/cursor", "this cursor is not one of %s; leave it out to start over", c.Tool)
	}
	return p, nil
}

// delivered is what the caller gets of the provider's answer, and how to get the rest.
type delivered struct {
	Data    json.RawMessage
	Cursor  string `json:",omitempty"`
	Stopped string `json:",omitempty"`
}

// deliver is steps 8 to 11 for one answer, or for the pages of a list joined into one. What is left out is said, with a
// cursor; an answer that is too large and no list is an error.
func (e *Executor) deliver(ctx context.Context, r *run) (delivered, error) {
	limit := r.call.MaxBytes
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	if r.call.Room > 0 {
		limit = min(limit, r.call.Room)
	}
	res, err := e.perform(ctx, r)
	if err != nil {
		return delivered{}, err
	}
	got, err := e.taken(ctx, r, res, limit)
	if err != nil && r.op.effect != catalog.EffectRead {
		r.done = true
		f := *fault.From(err)
		f.Message = "the call was made, and must not be repeated, but " + f.Message
		err = &f
	}
	return got, err
}

// taken makes of the provider's answer what the caller gets.
func (e *Executor) taken(ctx context.Context, r *run, res egress.Response, limit int) (delivered, error) {
	if r.open != nil {
		r.open.header = passedHeader(res.Header)
		return delivered{}, nil
	}
	if r.op.raw {
		r.bytes = int64(len(res.Body))
	}
	data, err := r.op.shape(res)
	switch {
	case err != nil:
		return delivered{}, err
	case r.op.raw && len(data) <= MostBytes*4/3, r.op.list == nil && len(data) <= limit:
		return delivered{Data: data}, nil
	case r.op.list == nil:
		return delivered{}, tooLarge(len(data))
	}
	j, err := newJoined(r.op.list.items, data, limit)
	if err != nil { // the answer is no list after all; then it is given whole, if it fits
		if len(data) > limit {
			return delivered{}, tooLarge(len(data))
		}
		return delivered{Data: data}, nil
	}
	page, more := r.op.list.next(res.Header, res.Body)
	return e.follow(ctx, r, j, page, more)
}

func tooLarge(n int) *fault.Error {
	return fault.New(fault.ProviderError, "the provider's answer is too large (%d bytes); ask for less: a filter, fewer fields, a smaller page, or a larger max_bytes (at most %d)", n, MostBytes).
		With("reason", "response_too_large")
}

// follow joins pages until the list, the pages asked for, the bytes or the time end.
func (e *Executor) follow(ctx context.Context, r *run, j *joined, next catalog.Page, more bool) (delivered, error) {
	for n := 1; ; n++ {
		fitted := j.add(r.at.Skip)
		if fitted < len(j.page) { // the rest of this page is for the next call
			if fitted == 0 && n == 1 { // not even one item fits, and a cursor would stand still
				return delivered{}, tooLarge(len(j.page[0]))
			}
			r.at.Skip += fitted
			return j.stop(r.at, "max_bytes"), nil
		}
		if !more {
			return delivered{Data: j.encode()}, nil
		}
		r.at.Page, r.at.Skip = next, 0
		switch {
		case n >= max(1, r.call.Pages):
			return j.stop(r.at, "pages"), nil
		case !roomFor(ctx, pageTime):
			return j.stop(r.at, "time"), nil
		}
		res, err := e.perform(ctx, r)
		if err == nil {
			err = j.turn(r.op.shape(res))
		}
		if err != nil { // what came before is good; the cursor asks for this page again
			return j.stop(r.at, string(fault.From(err).Code)), nil
		}
		next, more = r.op.list.next(res.Header, res.Body)
	}
}

// joined is a list under way: the items so far, and the latest page with what stands beside its items.
type joined struct {
	name  string // of the member that holds the list; empty when the answer is the list
	limit int
	rest  map[string]json.RawMessage // without the list
	items []json.RawMessage
	page  []json.RawMessage
	// beside is how long the answer is without items, size how long the items are with their commas.
	beside, size int
}

func newJoined(name string, data json.RawMessage, limit int) (*joined, error) {
	j := &joined{name: name, limit: limit, items: []json.RawMessage{}}
	return j, j.read(data)
}

// turn reads the next page, if it could be shaped.
func (j *joined) turn(data json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	return j.read(data)
}

// read takes a page apart. What stands beside the list is the latest page's, unless that would be too long with what is there.
func (j *joined) read(data json.RawMessage) error {
	var page []json.RawMessage // a new one: the items before are kept where they are
	if j.name == "" {
		err := json.Unmarshal(data, &page)
		j.page, j.beside = page, len("[]")
		return err
	}
	var rest map[string]json.RawMessage
	if err := json.Unmarshal(data, &rest); err != nil {
		return err
	}
	if err := json.Unmarshal(rest[j.name], &page); err != nil {
		return err
	}
	delete(rest, j.name)
	beside := len("{}") + len(plain(j.name)) + len(":[]")
	for k, v := range rest {
		beside += len(plain(k)) + len(v) + len(":,")
	}
	if j.page = page; j.rest == nil || beside+j.size <= j.limit {
		j.rest, j.beside = rest, beside
	}
	return nil
}

// add takes the page's items behind the first skip, as far as they fit, and returns how many it took.
func (j *joined) add(skip int) int {
	j.page = j.page[min(skip, len(j.page)):]
	for i, item := range j.page {
		if j.beside+j.size+len(item)+1 > j.limit {
			return i
		}
		j.items, j.size = append(j.items, item), j.size+len(item)+1
	}
	return len(j.page)
}

func (j *joined) encode() json.RawMessage {
	var doc any = j.items
	if j.name != "" {
		j.rest[j.name] = plain(j.items)
		doc = j.rest
	}
	return plain(doc)
}

// plain is v as JSON without the escapes that only HTML needs; v was read from JSON.
func plain(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (j *joined) stop(at position, why string) delivered {
	return delivered{Data: j.encode(), Cursor: at.cursor(), Stopped: why}
}
