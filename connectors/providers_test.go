package connectors_test

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"behalf.dev/behalf/shared/catalog"
)

// providers holds manifests of providers whose habits differ most. They are no connectors: they have no tools, no emulator, and
// nobody compared them with the live provider. They prove that a catalog is data entry.
const providers = "../shared/catalog/testdata/providers"

func TestProviders_EveryManifest_LoadsAndPassesThePublishedSchema(t *testing.T) {
	t.Parallel()
	all, err := catalog.Load(os.DirFS(providers))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(all.Connectors()); n < 15 {
		t.Errorf("only %d manifests", n)
	}
	schema := compile(t, "schema/connector.schema.json")
	for _, c := range all.Connectors() {
		data, err := os.ReadFile(filepath.Join(providers, c.ID, "connector.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.YAMLToJSON(data)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
	}
}

// TestProviders_Requests_AreTheirs compares what is sent with what each provider documents.
func TestProviders_Requests_AreTheirs(t *testing.T) {
	t.Parallel()
	all, err := catalog.Load(os.DirFS(providers))
	if err != nil {
		t.Fatal(err)
	}
	meta := map[string]string{"host": "git.acme.example", "shop": "acme", "tenant": "organizations", "workspace": "dbc-1.cloud.databricks.com", "domain": "acme.okta.com", "api_host": "api.eu.intercom.io"}
	for id, want := range map[string]struct{ authorize, token, refresh string }{
		"tiktok":                 {"https://www.tiktok.com/v2/auth/authorize/?client_key=CLIENT&redirect_uri=R&response_type=code&scope=a%2Cb&state=S", "POST https://open.tiktokapis.com/v2/oauth/token/ client_key=CLIENT&client_secret=X&grant_type=g", "POST https://open.tiktokapis.com/v2/oauth/token/ client_key=CLIENT&client_secret=X&grant_type=g"},
		"gitlab":                 {"https://git.acme.example/oauth/authorize?client_id=CLIENT&code_challenge=C&code_challenge_method=S256&redirect_uri=R&response_type=code&scope=a+b&state=S", "POST https://git.acme.example/oauth/token client_id=CLIENT&client_secret=X&grant_type=g", "POST https://git.acme.example/oauth/token client_id=CLIENT&client_secret=X&grant_type=g&redirect_uri=R"},
		"notion":                 {"https://api.notion.com/v1/oauth/authorize?client_id=CLIENT&owner=user&redirect_uri=R&response_type=code&state=S", `POST https://api.notion.com/v1/oauth/token {"client_id":"CLIENT","client_secret":"X","grant_type":"g"}`, ""},
		"dropbox":                {"https://www.dropbox.com/oauth2/authorize?client_id=CLIENT&code_challenge=C&code_challenge_method=S256&redirect_uri=R&response_type=code&scope=a+b&state=S&token_access_type=offline", "", ""},
		"shopify":                {"https://acme.myshopify.com/admin/oauth/authorize?client_id=CLIENT&redirect_uri=R&response_type=code&scope=a%2Cb&state=S", `POST https://acme.myshopify.com/admin/oauth/access_token {"client_id":"CLIENT","client_secret":"X","expiring":"1","grant_type":"g"}`, ""},
		"microsoft":              {"https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?client_id=CLIENT&code_challenge=C&code_challenge_method=S256&prompt=select_account&redirect_uri=R&response_type=code&scope=a+b&state=S", "POST https://login.microsoftonline.com/organizations/oauth2/v2.0/token client_id=CLIENT&client_secret=X&grant_type=g", ""},
		"databricks":             {"https://dbc-1.cloud.databricks.com/oidc/v1/authorize?client_id=CLIENT&code_challenge=C&code_challenge_method=S256&redirect_uri=R&response_type=code&scope=a+b&state=S", "", ""},
		"instagram":              {"", "", "GET https://graph.instagram.com/refresh_access_token?grant_type=g "},
		"bullhorn":               {"https://auth.bullhornstaffing.com/oauth/authorize?client_id=CLIENT&redirect_uri=R&response_type=code&state=S", "POST https://auth.bullhornstaffing.com/oauth/token?client_id=CLIENT&client_secret=X&grant_type=g ", ""},
		"amazon-selling-partner": {"https://sellercentral.amazon.com/apps/authorize/consent?application_id=CLIENT&redirect_uri=R&state=S", "", ""},
		"slack-user-and-bot":     {"https://slack.com/oauth/v2/authorize?client_id=CLIENT&redirect_uri=R&response_type=code&scope=a%2Cb&state=S&user_scope=c", "", ""},
		"okta":                   {"", "POST https://acme.okta.com/oauth2/v1/token client_id=CLIENT&client_secret=X&grant_type=g", ""},
	} {
		c, err := all.Connector(id)
		if err != nil {
			t.Fatal(err)
		}
		r := catalog.AuthorizeRequest{ClientID: "CLIENT", RedirectURI: "R", State: "S", Scopes: []string{"a", "b"}}
		if c.PKCE != catalog.PKCENever {
			r.CodeChallenge = "C"
		}
		if id == "slack-user-and-bot" {
			r.Scopes = append(r.Scopes, "user:c")
		}
		if want.authorize != "" {
			if got, err := c.AuthorizeURL(meta, r); err != nil || got != want.authorize {
				t.Errorf("%s: %s %v", id, got, err)
			}
		}
		for renews, line := range map[bool]string{false: want.token, true: want.refresh} {
			if got := sent(t, c, meta, renews); line != "" && got != line {
				t.Errorf("%s: %s", id, got)
			}
		}
	}
	codes := []string{}
	for _, c := range all.Connectors() {
		if c.CodeParam != "code" && c.Mode == catalog.ModeOAuth2 {
			codes = append(codes, c.CodeParam)
		}
	}
	if !slices.Equal(codes, []string{"spapi_oauth_code"}) {
		t.Error(codes)
	}
}

// sent is a token request as one line: method, address, body.
func sent(t *testing.T, c *catalog.Connector, meta map[string]string, renews bool) string {
	t.Helper()
	kept := map[string]string{catalog.RedirectURIKept: "R"}
	for k, v := range meta {
		kept[k] = v
	}
	shape, err := c.TokenShape(catalog.TokenCallOf{Renews: renews, Metadata: kept, ClientID: "CLIENT", RequestID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	to := c.TokenURL
	if renews {
		to = c.RefreshURL
	}
	at, err := to(meta)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := shape.Body(shape.Fields(url.Values{"grant_type": {"g"}, "client_id": {"CLIENT"}, "client_secret": {"X"}}), u)
	if err != nil {
		t.Fatal(err)
	}
	return shape.Method + " " + u.String() + " " + string(body)
}
