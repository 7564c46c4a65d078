package oauthflow_test

import (
	"net/url"
	"testing"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
)

// TestCallback_PromisedIssuer_MustBeThereAndTheSame is RFC 9207, section 2.4, on success and on error responses.
func TestCallback_PromisedIssuer_MustBeThereAndTheSame(t *testing.T) {
	t.Parallel()
	const promised = "https://github.example"
	for _, c := range []struct {
		name, issuer string
		iss          []string
		with         string
		refused      bool
	}{
		{"promised and sent", promised, []string{promised}, "code", false},
		{"promised and sent with an error", promised, []string{promised}, "error", false},
		{"promised and absent", promised, nil, "code", true},
		{"promised and absent with an error", promised, nil, "error", true},
		{"another one", promised, []string{"https://evil.example"}, "code", true},
		{"another one with an error", promised, []string{"https://evil.example"}, "error", true},
		{"a slash more", promised, []string{promised + "/"}, "code", true},
		{"not promised", "", []string{"https://anything.example"}, "code", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			shipped := w.flow.Connector
			w.flow.Connector = func(id string) (*catalog.Connector, error) {
				spec, err := shipped(id)
				if err == nil {
					spec.Issuer = c.issuer
				}
				return spec, err
			}
			cookie, q := w.start(token(w.create(nil)), "")
			answer := url.Values{"state": {q.Get("state")}, c.with: {"access_denied"}}
			if c.iss != nil {
				answer["iss"] = c.iss
			}
			_, err := w.arrive(oauthflow.Arrival{Query: answer, Cookie: cookie})
			if refused := fault.Is(err, fault.Forbidden) && fault.From(err).Detail["reason"] == "issuer_mismatch"; refused != c.refused || !refused && err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}
