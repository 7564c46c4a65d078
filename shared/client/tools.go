package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
)

// ToolPage is a page of the tools of a session. Cursor is empty on the last.
type ToolPage struct {
	// Tools can be called now, each in the shape that was asked for.
	Tools []json.RawMessage `json:"tools"`
	// NotCallable is what a search found besides.
	NotCallable []NotCallable `json:"not_callable,omitempty"`
	Cursor      string        `json:"cursor,omitempty"`
}

// NotCallable is a tool that a call would be refused for now, with the error's code and text.
type NotCallable struct {
	Name          string   `json:"name"`
	Title         string   `json:"title"`
	Description   string   `json:"description"`
	Connector     string   `json:"connector"`
	Effect        string   `json:"effect"`
	Code          string   `json:"code"`
	Detail        string   `json:"detail"`
	MissingScopes []string `json:"missing_scopes,omitempty"`
	// Connect is the request with which the back end gets a connect link.
	Connect json.RawMessage `json:"connect,omitempty"`
}

// ToolPage reads one page. format is one of the shapes (MCP when empty); query searches all tools that the session may use.
func (s *Session) ToolPage(ctx context.Context, format, query string, p Page) (ToolPage, error) {
	limit := ""
	if p.Limit > 0 {
		limit = strconv.Itoa(p.Limit)
	}
	return get[ToolPage](ctx, s.c, call{method: http.MethodGet, route: "/v1/tools", query: with("format", format, "q", query, "limit", limit, "cursor", p.Cursor), token: s.token})
}

// Tools lists what the session may call now, over all pages, each in the shape that format names (MCP when empty). query
// keeps tools that hold all of its words; empty keeps all.
func (s *Session) Tools(ctx context.Context, format, query string) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for x, err := range each(func(cursor string) ([]json.RawMessage, string, error) {
		p, err := s.ToolPage(ctx, format, query, Page{Cursor: cursor})
		return p.Tools, p.Cursor, err
	}) {
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}
