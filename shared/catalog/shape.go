package catalog

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// mask is a set of dotted paths as a tree; an empty mask keeps everything below it.
type mask map[string]mask

func newMask(paths []string) mask {
	root := mask{}
	for _, p := range paths {
		node := root
		for key := range strings.SplitSeq(p, ".") {
			if node[key] == nil {
				node[key] = mask{}
			}
			node = node[key]
		}
	}
	return root
}

// apply keeps the masked members of an object, or of every object of a list.
func (m mask) apply(v any) any {
	if len(m) == 0 {
		return v
	}
	switch node := v.(type) {
	case []any:
		out := make([]any, len(node))
		for i, item := range node {
			out[i] = m.apply(item)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, sub := range m {
			if child, ok := node[key]; ok {
				out[key] = sub.apply(child)
			}
		}
		return out
	}
	return v
}

// Shape is what the caller of the tool gets of a successful answer: the part that tools.yaml selects, with the members
// that it keeps. No content becomes {}, text that is not JSON becomes {"text": …}. It returns fault.ProviderError when
// the selected part is absent: an answer that is not understood must not look like an empty one.
func (t *Tool) Shape(status int, body []byte) (json.RawMessage, error) {
	if status == http.StatusNoContent || len(bytes.TrimSpace(body)) == 0 {
		return json.RawMessage("{}"), nil
	}
	v, err := decodeJSON(body)
	if err != nil {
		return encodeJSON(map[string]string{"text": strings.ToValidUTF8(string(body), "\uFFFD")})
	}
	part, ok := lookup(v, t.spec.Response.Select)
	if !ok && t.spec.Response.Select != "" {
		return nil, fault.New(fault.ProviderError, "%s answered without %q, which %s returns", t.connector.ID, t.spec.Response.Select, t.Name).
			With("provider_status", status)
	}
	return encodeJSON(t.mask.apply(part))
}
