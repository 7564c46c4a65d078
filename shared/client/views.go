package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// ViewSettings say which tools a view holds: of these connectors, with these names, with these effects. An empty list does
// not narrow; one of the three must.
type ViewSettings struct {
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
	// Effects are read, write and destructive.
	Effects []string `json:"effects,omitempty"`
}

// View is a part of the tools of a tenant's sessions, served at /mcp/{name}.
type View struct {
	Name string `json:"name"`
	ViewSettings
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// ViewPage is a page of views. Cursor is empty on the last.
type ViewPage struct {
	Views  []View `json:"views"`
	Cursor string `json:"cursor,omitempty"`
}

const viewRoute = "/v1/tenants/{tenant}/mcp-views/{view}"

// PutView makes or replaces a view; fault.InvalidInput for a connector or tool that does not exist.
func (c *Client) PutView(ctx context.Context, tenant, name string, s ViewSettings) (View, error) {
	return get[View](ctx, c, call{method: http.MethodPut, route: viewRoute, params: []string{tenant, name}, body: s})
}

// View reads a view; fault.NotFound when there is none.
func (c *Client) View(ctx context.Context, tenant, name string) (View, error) {
	return get[View](ctx, c, call{method: http.MethodGet, route: viewRoute, params: []string{tenant, name}})
}

// DeleteView removes a view; calls through it are refused from now on.
func (c *Client) DeleteView(ctx context.Context, tenant, name string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: viewRoute, params: []string{tenant, name}}, nil)
}

// Views reads one page of a tenant's views.
func (c *Client) Views(ctx context.Context, tenant string, p Page) (ViewPage, error) {
	return get[ViewPage](ctx, c, call{method: http.MethodGet, route: "/v1/tenants/{tenant}/mcp-views", params: []string{tenant}, query: p.query()})
}

// AllViews yields every view of a tenant, page by page. It stops after yielding an error.
func (c *Client) AllViews(ctx context.Context, tenant string) iter.Seq2[View, error] {
	return each(func(cursor string) ([]View, string, error) {
		p, err := c.Views(ctx, tenant, Page{Cursor: cursor})
		return p.Views, p.Cursor, err
	})
}

const deploymentViewRoute = "/v1/mcp-views/{view}"

// PutDeploymentView makes or replaces a view that every tenant has, save those with a view of the same name.
func (c *Client) PutDeploymentView(ctx context.Context, name string, s ViewSettings) (View, error) {
	return get[View](ctx, c, call{method: http.MethodPut, route: deploymentViewRoute, params: []string{name}, body: s})
}

// DeploymentView reads a view that every tenant has; fault.NotFound when there is none.
func (c *Client) DeploymentView(ctx context.Context, name string) (View, error) {
	return get[View](ctx, c, call{method: http.MethodGet, route: deploymentViewRoute, params: []string{name}})
}

// DeleteDeploymentView removes a view that every tenant has.
func (c *Client) DeleteDeploymentView(ctx context.Context, name string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: deploymentViewRoute, params: []string{name}}, nil)
}

// DeploymentViews reads one page of the views that every tenant has.
func (c *Client) DeploymentViews(ctx context.Context, p Page) (ViewPage, error) {
	return get[ViewPage](ctx, c, call{method: http.MethodGet, route: "/v1/mcp-views", query: p.query()})
}
