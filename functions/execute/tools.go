package execute

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// The page of GET /v1/tools, in tools: more than most models can be given at once.
const defaultTools, maxTools = 200, 500

// notCallable is a tool that a search found and that a call would be refused for now.
type notCallable struct {
	Name          string         `json:"name"`
	Title         string         `json:"title"`
	Description   string         `json:"description"`
	Connector     string         `json:"connector"`
	Effect        catalog.Effect `json:"effect"`
	Code          fault.Code     `json:"code"`
	Detail        string         `json:"detail"`
	MissingScopes any            `json:"missing_scopes,omitempty"`
	Connect       any            `json:"connect,omitempty"`
}

func (f *Function) tools(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	a, err := f.agent(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := r.Only("format", "q", "limit", "cursor"); err != nil {
		return nil, err
	}
	format := r.Query().Get("format")
	if format == "" {
		format = catalog.FormatMCP
	}
	if !slices.Contains(catalog.Formats(), format) {
		return nil, fault.Invalid("format", "unknown format %q; known are %s", format, strings.Join(catalog.Formats(), ", "))
	}
	want := toolcall.Want{Query: r.Query().Get("q")}
	if want.Limit, err = r.Limit(defaultTools, maxTools); err != nil {
		return nil, err
	}
	if want.After, err = r.Position(); err != nil {
		return nil, err
	}
	list, err := a.List(a.ctx, want)
	if err != nil {
		return nil, err
	}
	return answerList(r, list, format, want.Query != "")
}

// answerList keeps what can be called apart from what cannot, so that the former can be handed to a model as it is.
func answerList(r *apigw.Request, list toolcall.Listing, format string, searched bool) (*apigw.Response, error) {
	defs, rest := []any{}, []notCallable{}
	for _, l := range list.Tools {
		if l.Lacks == nil {
			defs = append(defs, l.Tool.DefinitionWith(format, l.Meta()))
			continue
		}
		t := l.Tool
		rest = append(rest, notCallable{t.Name, t.Title, t.Description, t.Connector().ID, t.Effect, l.Lacks.Code, l.Lacks.Message,
			l.Lacks.Detail["missing_scopes"], l.Lacks.Detail["connect"]})
	}
	body := map[string]any{"tools": defs}
	if searched {
		body["not_callable"] = rest
	}
	if list.Next != "" {
		body["cursor"] = apigw.Cursor(list.Next)
	}
	out, err := apigw.JSON(http.StatusOK, body)
	if err != nil {
		return nil, err
	}
	return tagged(r, out), nil
}

// tagged names what out holds, and answers 304 to a caller that has it (RFC 9110, section 13.1.2). It may be kept, by that
// caller alone, and must be asked about each time: a revoked connection takes its tools along.
func tagged(r *apigw.Request, out *apigw.Response) *apigw.Response {
	sum := sha256.Sum256(out.Body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	out.Header.Set("ETag", tag)
	out.Header.Set("Cache-Control", "private, no-cache")
	out.Header.Set("Vary", "Authorization")
	for known := range strings.SplitSeq(r.Header("If-None-Match"), ",") {
		if k := strings.TrimPrefix(strings.TrimSpace(known), "W/"); k == tag || k == "*" {
			out.Header.Del("Content-Type")
			return &apigw.Response{Status: http.StatusNotModified, Header: out.Header}
		}
	}
	return out
}
