package admin

import (
	"context"
	"net/http"
	"strings"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/toolcall"
)

// resourceView is protected resource metadata (RFC 9728, section 2). For MCP it names the authorization server, where the deployment has one; the
// rest of the API has none, since its session tokens come from the back end of the application.
type resourceView struct {
	Resource      string   `json:"resource"`
	Servers       []string `json:"authorization_servers,omitempty"`
	Name          string   `json:"resource_name"`
	Documentation string   `json:"resource_documentation"`
	Methods       []string `json:"bearer_methods_supported"`
}

// resource answers for the API, for /mcp, or for a view. Whether a view exists is not told to strangers.
func (f *Function) resource(_ context.Context, r *apigw.Request) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	public := strings.TrimRight(f.public, "/")
	path := strings.TrimPrefix(r.Resource(), apigw.ResourceMetadata)
	if r.Names("view") {
		name, err := r.Path("view")
		if err != nil {
			return nil, err
		}
		if name, err = toolcall.ParseViewName("view", name); err != nil {
			return nil, err
		}
		path = apigw.MCPPath + "/" + name
	}
	var servers []string
	if path != "" && f.loginsOn() == nil {
		servers = []string{f.public}
	}
	out, err := apigw.JSON(http.StatusOK, resourceView{public + path, servers, "Behalf", public + "/openapi.json", []string{"header"}})
	if err == nil {
		out.Header.Set("Cache-Control", "public, max-age=3600")
	}
	return out, err
}
