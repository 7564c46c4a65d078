package connectors_test

import (
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

func provider(t *testing.T, id string) *catalog.Connector {
	t.Helper()
	all, err := catalog.Load(os.DirFS(providers))
	if err != nil {
		t.Fatal(err)
	}
	c, err := all.Connector(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestProviders_Atlassian_CallsGoToTheSiteThatWasChosen: one consent opens two sites.
func TestProviders_Atlassian_CallsGoToTheSiteThatWasChosen(t *testing.T) {
	t.Parallel()
	c := provider(t, "atlassian")
	ask, err := c.PostConnectRequest(0, nil)
	if err != nil || ask.URL.String() != "https://api.atlassian.com/oauth/token/accessible-resources" || !c.MayAsk() {
		t.Fatal(ask.URL, err)
	}
	const sites = `[{"id":"cloud-1","name":"acme","url":"https://acme.atlassian.net","scopes":["read:jira-work"]},{"id":"cloud-2","name":"beta","url":"https://beta.atlassian.net","scopes":[]}]`
	places, err := c.Places(0, []byte(sites), nil, nil)
	if err != nil || len(places) != 2 || places[1].Label != "beta" || places[1].Detail != "https://beta.atlassian.net" {
		t.Fatal(places, err)
	}
	meta := places[1].Merge(nil)
	if u, err := c.ProxyURL("/rest/api/3/myself", nil, meta); err != nil || u.String() != "https://api.atlassian.com/ex/jira/cloud-2/rest/api/3/myself" {
		t.Error(u, err)
	}
	if _, err := c.ProxyURL("/rest/api/3/myself", nil, nil); err == nil {
		t.Error("a call to no site")
	}
	id, err := c.ParseIdentity([]byte(`{"account_id":"a1","email":"dora@acme.example","name":"Dora"}`), meta)
	if err != nil || id.AccountID != "a1" || id.TenantID != "cloud-2" || id.TenantName != "beta" {
		t.Error(id, err)
	}
	if got := c.ClassifyTokenError(403, nil, []byte(`{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`)); got.Kind == catalog.OutcomeDead {
		t.Error("an exchange cannot end a grant")
	}
	if got := c.ClassifyAPIResponse(401, nil, []byte(`{"code":401,"message":"Unauthorized; scope does not match"}`)); got.Kind != catalog.OutcomeScope {
		t.Error(got)
	}
	if text, at := c.Manual(); text == "" || at == "" {
		t.Error("nobody is told how to remove the access")
	}
}

// TestProviders_Zoho_TheRegionOfTheAnswerGetsTheCode, and no server that is not Zoho's does.
func TestProviders_Zoho_TheRegionOfTheAnswerGetsTheCode(t *testing.T) {
	t.Parallel()
	c := provider(t, "zoho")
	for server, want := range map[string]string{"https://accounts.zoho.eu": "https://accounts.zoho.eu/oauth/v2/token", "": "https://accounts.zoho.com/oauth/v2/token"} {
		meta, err := c.CallbackMetadata(url.Values{"code": {"1000.a"}, "location": {"eu"}, "accounts-server": {server}}, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := sent(t, c, meta, false); got != "POST "+want+" client_id=CLIENT&client_secret=X&grant_type=g" {
			t.Error(got)
		}
	}
	for _, bad := range []string{"https://accounts.evil.example", "https://accounts.zoho.eu.evil.example", "https://accounts.zoho.eu/x", "https://accounts.zoho.eu:444"} {
		if meta, err := c.CallbackMetadata(url.Values{"accounts-server": {bad}}, nil, true); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v %v", bad, meta, err)
		}
	}
	meta := map[string]string{"accounts_server": "https://accounts.zoho.eu", "api_domain": "https://www.zohoapis.eu"}
	if u, err := c.ProxyURL("/v8/Leads", nil, meta); err != nil || u.String() != "https://www.zohoapis.eu/crm/v8/Leads" {
		t.Error(u, err)
	}
	call, _, err := c.RevokeRequest(meta, "CLIENT")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := call.HTTP(t.Context(), c.APIAuth, nil, nil, []byte("1000.r")); err != nil || r.URL.String() != "https://accounts.zoho.eu/oauth/v2/token/revoke?token=1000.r" {
		t.Error(r, err)
	}
}

// TestProviders_QuickBooks_TheCompanyOfTheAnswerIsOpenedWithTheToken: a company that was changed in the browser cannot be opened.
func TestProviders_QuickBooks_TheCompanyOfTheAnswerIsOpenedWithTheToken(t *testing.T) {
	t.Parallel()
	c := provider(t, "quickbooks")
	meta, err := c.CallbackMetadata(url.Values{"code": {"AB1"}, "realmId": {"4620816365"}}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	r, ok, err := c.IdentityRequest(meta)
	if err != nil || !ok || r.URL.String() != "https://quickbooks.api.intuit.com/v3/company/4620816365/companyinfo/4620816365" {
		t.Error(r.URL, err)
	}
	id, err := c.ParseIdentity([]byte(`{"CompanyInfo":{"CompanyName":"Acme"}}`), meta)
	if err != nil || id.AccountID != "4620816365" || id.Name != "Acme" {
		t.Error(id, err)
	}
	for _, bad := range []string{"", "1/../2", "1?x", strings.Repeat("1", 21)} {
		if _, err := c.CallbackMetadata(url.Values{"realmId": {bad}}, nil, true); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestProviders_Instagram_TheLongTokenIsMadeOnce: behind the exchange, not behind a refresh.
func TestProviders_Instagram_TheLongTokenIsMadeOnce(t *testing.T) {
	t.Parallel()
	c := provider(t, "instagram")
	if behind, renewing := c.ExtraSteps(false), c.ExtraSteps(true); !slices.Equal(behind, []int{0}) || len(renewing) != 0 {
		t.Fatal(behind, renewing)
	}
	r, err := c.StepRequest(t.Context(), 0, nil, catalog.NewStepValues("CLIENT", []byte("X"), []byte("short"), nil, nil))
	if err != nil || r.Method+" "+r.URL.String() != "GET https://graph.instagram.com/access_token?access_token=short&client_secret=X&grant_type=ig_exchange_token" {
		t.Error(r, err)
	}
}
