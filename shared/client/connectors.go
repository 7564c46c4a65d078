package client

import (
	"context"
	"net/http"
)

// Connector is a provider that the deployment knows.
type Connector struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	DocsURL     string `json:"docs_url,omitempty"`
	// Mode is what a connection is made of: "oauth2", "api_key", …; Fields are what the connect page asks for, or
	// ImportConnection gives.
	Mode   string           `json:"mode"`
	Fields []ConnectorField `json:"fields"`
	Scopes ConnectorScopes  `json:"scopes"`
	Tools  []ConnectorTool  `json:"tools"`
}

// ConnectorField is one value that somebody gives to connect an account. Kind is text, pem or json.
type ConnectorField struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Help     string `json:"help,omitempty"`
	Example  string `json:"example,omitempty"`
	Kind     string `json:"kind"`
	Secret   bool   `json:"secret"`
	Required bool   `json:"required"`
}

// ConnectorScopes are a connector's scopes: asked for by default, asked for always, and what each allows.
type ConnectorScopes struct {
	Default  []string          `json:"default"`
	Required []string          `json:"required,omitempty"`
	Known    map[string]string `json:"known"`
}

// ConnectorTool is a tool in the catalog. Effect is read, write or destructive.
type ConnectorTool struct {
	Name   string `json:"name"`
	Title  string `json:"title,omitempty"`
	Effect string `json:"effect"`
}

// Connectors lists the catalog.
func (c *Client) Connectors(ctx context.Context) ([]Connector, error) {
	out, err := get[struct {
		Connectors []Connector `json:"connectors"`
	}](ctx, c, call{method: http.MethodGet, route: "/v1/connectors"})
	return out.Connectors, err
}

// Connector reads one connector; fault.NotFound.
func (c *Client) Connector(ctx context.Context, connector string) (Connector, error) {
	return get[Connector](ctx, c, call{method: http.MethodGet, route: "/v1/connectors/{connector}", params: []string{connector}})
}
