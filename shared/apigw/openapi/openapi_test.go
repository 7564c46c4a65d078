// Package openapi_test checks the OpenAPI document with a validator that others use too. It stands apart from the tests
// of package apigw, which compare the document with the code, because only it needs that validator.
package openapi_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"behalf.dev/behalf/shared/apigw"
)

func load(t *testing.T, b []byte) (*openapi3.T, error) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(t.Context())
}

func TestOpenAPI_Document_IsValidOpenAPI31(t *testing.T) {
	t.Parallel()
	b, err := apigw.OpenAPI("https://behalf.acme.example")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := load(t, b)
	if err != nil {
		t.Fatal(err)
	}
	if !doc.IsOpenAPI31OrLater() || doc.Paths.Len() < 30 {
		t.Errorf("version %s, %d paths", doc.OpenAPI, doc.Paths.Len())
	}
}

// The validator must be able to say no.
func TestOpenAPI_BrokenDocument_IsRefused(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"no title":         `{"openapi":"3.1.0","info":{"version":"1"},"paths":{}}`,
		"undeclared param": `{"openapi":"3.1.0","info":{"title":"x","version":"1"},"paths":{"/a/{b}":{"get":{"responses":{"200":{"description":"y"}}}}}}`,
		"wrong type":       `{"openapi":"3.1.0","info":{"title":"x","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{"description":"y","content":{"a/b":{"schema":{"type":"strin"}}}}}}}}}`,
	} {
		if _, err := load(t, []byte(doc)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
