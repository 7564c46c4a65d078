package catalog

import "slices"

// AuthMode is the kind of credential that a connector works with.
type AuthMode string

// The modes. Those that mint start from something long-lived, which stays sealed where only a refresh can open it, and make
// access tokens of it; the static ones are their own access token.
const (
	// ModeOAuth2 is the authorization code grant (RFC 6749, section 4.1).
	ModeOAuth2 AuthMode = "oauth2"
	// ModeClientCredentials is RFC 6749, section 4.4.
	ModeClientCredentials AuthMode = "client_credentials"
	// ModeJWTBearer sends a signed assertion to the token endpoint (RFC 7523, section 2.1).
	ModeJWTBearer AuthMode = "jwt_bearer"
	// ModeJWT signs a JWT that is itself the access token.
	ModeJWT AuthMode = "jwt"
	// ModeAppJWT signs a JWT with the registered client's key and trades it, as a bearer, for a token that expires.
	ModeAppJWT AuthMode = "app_jwt"
	// ModeAPIKey, ModeBasic and ModeBearer are what a person pastes: a key, a user and password, a token.
	ModeAPIKey AuthMode = "api_key"
	ModeBasic  AuthMode = "basic"
	ModeBearer AuthMode = "bearer"
)

var authModes = []string{string(ModeOAuth2), string(ModeClientCredentials), string(ModeJWTBearer), string(ModeJWT), string(ModeAppJWT),
	string(ModeAPIKey), string(ModeBasic), string(ModeBearer)}

// Static reports that the credential is the access token itself: nothing renews it.
func (m AuthMode) Static() bool { return m == ModeAPIKey || m == ModeBasic || m == ModeBearer }

// Mints reports that access tokens are made from something long-lived, any number of times.
func (m AuthMode) Mints() bool {
	return slices.Contains([]AuthMode{ModeClientCredentials, ModeJWTBearer, ModeJWT, ModeAppJWT}, m)
}

// signs reports that the mode makes a JWT.
func (m AuthMode) signs() bool { return m == ModeJWTBearer || m == ModeJWT || m == ModeAppJWT }

// Asks reports that a token endpoint is asked.
func (m AuthMode) Asks() bool { return !m.Static() && m != ModeJWT }

// UsesClient reports that connections need an OAuth client that somebody registered with Behalf.
func (c *Connector) UsesClient() bool {
	switch c.Mode {
	case ModeOAuth2, ModeAppJWT:
		return true
	case ModeClientCredentials:
		return c.m.Auth.ClientID == ""
	}
	return false
}

// SignsAsClient reports that the registered client proves itself with a private key.
func (c *Connector) SignsAsClient() bool {
	return c.Mode == ModeAppJWT || c.ClientAuth == ClientAuthPrivateKey
}
