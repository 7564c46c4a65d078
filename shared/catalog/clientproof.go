package catalog

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"behalf.dev/behalf/shared/clientcert"
)

// clientAssertionSpec is where the assertion of a client differs from RFC 7523, section 3: templates over {client_id},
// {token_url} and {connection.name}.
type clientAssertionSpec struct {
	Issuer     string `yaml:"iss"`
	Audience   string `yaml:"aud"`
	KeyID      string `yaml:"kid"`
	TTLSeconds int    `yaml:"ttl_seconds"`
}

func (a clientAssertionSpec) texts() map[string]string {
	return map[string]string{"iss": a.Issuer, "aud": a.Audience, "kid": a.KeyID}
}

// clientAssertionLife is how long a client's assertion is good for, where the manifest does not say; it is used at once.
const clientAssertionLife = 5 * time.Minute

// ClientAssertion is the JWT with which the client proves itself to tokenURL (RFC 7523, sections 2.2 and 3; jti as OpenID
// Connect Core, section 9, wants it). It returns fault.ProviderError when the connection lacks a value.
func (c *Connector) ClientAssertion(of TokenCallOf, tokenURL string, now time.Time) (Assertion, error) {
	spec := clientAssertionSpec{}
	if a := c.m.Auth.ClientAssertion; a != nil {
		spec = *a
	}
	texts, err := c.expandAll(spec.texts(), requestRefs{meta: of.Metadata, clientID: of.ClientID, tokenURL: tokenURL})
	if err != nil {
		return Assertion{}, err
	}
	life := time.Duration(spec.TTLSeconds) * time.Second
	expires := now.Add(cmp.Or(life, clientAssertionLife))
	return Assertion{KeyID: texts["kid"], Expires: expires, Claims: map[string]any{"iss": cmp.Or(texts["iss"], of.ClientID), "sub": of.ClientID,
		"aud": cmp.Or(texts["aud"], tokenURL), "jti": of.RequestID, "iat": now.Unix(), "exp": expires.Unix()}}, nil
}

// WantsSecret reports that the registered client proves itself with a secret.
func (c *Connector) WantsSecret() bool {
	return slices.Contains([]ClientAuth{ClientAuthBasic, ClientAuthPost, ClientAuthAsUsername}, c.ClientAuth)
}

// ShowsCertificate reports that the registered client has a TLS certificate. AuthHeader.Certified tells that API calls need it,
// too.
func (c *Connector) ShowsCertificate() bool { return len(c.m.Auth.MTLS) > 0 }

// certified is an access token with what the connection to the provider must show beside it. It is one text, sealed as the
// access token is, so that whoever may use the token can make the connection, and needs nothing else of the client.
type certified struct {
	Token       string `json:"token"`
	Certificate string `json:"certificate"`
	PrivateKey  string `json:"private_key"`
}

// Certify joins an access token with the client's certificate, where API calls need both.
func (c *Connector) Certify(token []byte, chain string, key []byte) ([]byte, error) {
	if !c.APIAuth.Certified {
		return token, nil
	}
	return encodeJSON(certified{string(token), chain, string(key)})
}

// open takes apart what Certify joined. What it did not join is a token by itself: what else travels beside one, such as a
// refresh token.
func (a AuthHeader) open(token []byte) (bare []byte, cert *clientcert.Certificate) {
	var joined certified
	if !a.Certified || json.Unmarshal(token, &joined) != nil || joined.Token == "" {
		return token, nil
	}
	cert, err := clientcert.Parse([]byte(joined.Certificate), []byte(joined.PrivateKey))
	if err != nil { // the provider will say that it is missing
		cert = nil
	}
	return []byte(joined.Token), cert
}
