package connectors_test

import (
	"net/http"
	"testing"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

// Salesforce names the path of the next page; a caller who holds it in a cursor may not choose another.
func TestSalesforceQuery_NextPage_StaysBelowTheQuery(t *testing.T) {
	t.Parallel()
	cat, err := connectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	_, tool, err := cat.Tool("salesforce_query")
	if err != nil {
		t.Fatal(err)
	}
	page, more := tool.NextPage(http.Header{}, []byte(`{"done":false,"nextRecordsUrl":"/services/data/v64.0/query/01gD0000002HU6KIAW-2000","records":[]}`))
	if !more {
		t.Fatal("no next page")
	}
	input, meta := map[string]any{"soql": "SELECT Id FROM Account"}, map[string]string{"instance_url": "https://acme.my.salesforce.com"}
	r, err := tool.BindPage(input, page, meta)
	if err != nil || r.URL.String() != "https://acme.my.salesforce.com/services/data/v64.0/query/01gD0000002HU6KIAW-2000" {
		t.Errorf("%v %v", r.URL, err)
	}
	if _, more := tool.NextPage(http.Header{}, []byte(`{"done":true,"records":[]}`)); more {
		t.Error("the last page has a next one")
	}
	for _, bad := range []string{"/services/data/v64.0/sobjects/User", "/services/data/v64.0/query/../sobjects/User", "/services/data/v64.0/query/%2e%2e/sobjects", "/services/data/v64.0/queryAll/x",
		"https://evil.example/services/data/v64.0/query/x", "//evil.example/services/data/v64.0/query/x", "@evil.example/services/data/v64.0/query/x"} {
		if r, err := tool.BindPage(input, catalog.Page{Path: bad}, meta); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s is taken for %v", bad, r.URL)
		}
	}
}
