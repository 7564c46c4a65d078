package toolcall

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
)

// operation is what a call asks of a provider: a tool of the catalog, or a request that no tool covers.
type operation struct {
	// name stands in sessions and in the audit trail: the tool's, or "<connector>_proxy".
	name   string
	effect catalog.Effect
	// idempotent tells that doing it twice is like doing it once.
	idempotent bool
	// keyHeader takes the caller's idempotency key at the provider; empty when it takes none.
	keyHeader string
	// input are the arguments as policies and approvers see them.
	input map[string]any
	// alike are the arguments as a provider might read them, where that can be another way; what is forbidden either way is
	// forbidden. nil when there is one way.
	alike map[string]any
	// raw tells that answers other than success are the caller's to read.
	raw bool
	// method and path are for the audit trail of a proxied request; empty for a tool, whose name says as much.
	method, path string

	// tokenSet names the token that the call goes out with; empty is the main one.
	tokenSet string

	missing func(granted []string) []string
	bind    func(meta map[string]string) (catalog.Request, error)
	shape   func(egress.Response) (json.RawMessage, error)
	// list is how the answer goes on over pages; nil when it does not.
	list *list
}

// resolveTool is steps 2 and 3 for a tool of the catalog.
func (e *Executor) resolveTool(r *run) error {
	spec, tool, err := e.Tools.Tool(r.call.Tool)
	if err != nil {
		return fault.From(err).WithField("/tool")
	}
	r.spec = spec
	r.op = &operation{name: tool.Name, effect: tool.Effect, idempotent: tool.Idempotent, keyHeader: tool.IdempotencyHeader, tokenSet: tool.TokenSet, missing: tool.MissingScopes,
		shape: func(res egress.Response) (json.RawMessage, error) { return tool.Shape(res.Status, res.Body) }}
	if !r.session.Allows(spec.ID, tool.Name) {
		return outsideSession(tool.Name).WithField("/tool")
	}
	if !r.call.View.Allows(tool) {
		return fault.New(fault.Forbidden, "the view %q does not hold %s", r.call.View.Name, tool.Name).WithField("/tool").With("reason", "outside_view")
	}
	if err := r.call.check(); err != nil {
		return err
	}
	from, err := r.call.position()
	if err != nil {
		return err
	}
	input, err := tool.ValidateInput(from.Input)
	if err != nil {
		return err
	}
	r.op.input = input
	items, lists := tool.Pages()
	if !lists && (r.call.Cursor != "" || r.call.Pages > 1) {
		return fault.Invalid("/pages", "%s does not answer in pages", tool.Name)
	}
	r.op.bind = func(meta map[string]string) (catalog.Request, error) { return tool.BindPage(input, r.at.Page, meta) }
	if lists {
		r.op.list = &list{items: items, next: func(header http.Header, body []byte) (catalog.Page, bool) {
			return tool.PageAfter(input, r.at.Page, header, body)
		}}
	}
	r.at = from
	r.digest = digestOf(tool.Name, input)
	if r.call.Cursor != "" || r.call.Pages > 1 || r.call.MaxBytes > 0 { // they decide about the answer too
		r.digest = digestOf(tool.Name, []any{input, from.Page, from.Skip, r.call.Pages, r.call.MaxBytes})
	}
	return nil
}

func outsideSession(name string) *fault.Error {
	return fault.New(fault.Forbidden, "this session may not use %s; its connectors and tools were fixed when it was created", name).With("reason", "outside_session")
}

// digestOf is the SHA-256 of an operation and its input; encoding/json sorts the keys of maps, so equal inputs agree.
func digestOf(name string, input any) string {
	b, err := json.Marshal([]any{name, input})
	if err != nil { // the input came from JSON
		return ""
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// providerKey is the caller's idempotency key as the provider is given it. Providers keep keys by account, and one account
// may be connected by several principals, of several tenants: the same key of two of them must not become one call.
func (r *run) providerKey() string {
	s := r.session
	return "behalf-" + digestOf("idempotency key", []string{string(s.Tenant), string(s.Principal), string(s.OnBehalfOf), r.call.IdempotencyKey})
}

// repeatable reports that sending the call twice does no harm: it changes nothing the second time, or the provider knows
// it by the caller's key.
func (r *run) repeatable() bool {
	return r.op.idempotent || r.op.keyHeader != "" && r.call.IdempotencyKey != ""
}
