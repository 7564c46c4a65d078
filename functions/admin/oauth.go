package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/mcpauth"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// serverView is authorization server metadata (RFC 8414, section 2). It is served as OpenID configuration too, whose readers ask for the members
// at the end; there are no id tokens.
type serverView struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Revocation    string   `json:"revocation_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	Responses     []string `json:"response_types_supported"`
	Modes         []string `json:"response_modes_supported"`
	Grants        []string `json:"grant_types_supported"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`
	RevokeMethods []string `json:"revocation_endpoint_auth_methods_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	Iss           bool     `json:"authorization_response_iss_parameter_supported"`
	Documents     bool     `json:"client_id_metadata_document_supported"`
	Subjects      []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	Documentation string   `json:"service_documentation"`
}

// loginsOn fails where there is no authorization server.
func (f *Function) loginsOn() error {
	if f.loginURL == "" {
		return fault.New(fault.NotFound, "this deployment has no login for MCP clients; session tokens come from POST /v1/sessions")
	}
	return nil
}

func (f *Function) authorizationServer(_ context.Context, r *apigw.Request) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	if err := f.loginsOn(); err != nil {
		return nil, err
	}
	p := strings.TrimRight(f.public, "/")
	none := []string{"none"}
	out, err := apigw.JSON(http.StatusOK, serverView{Issuer: f.public, Authorization: p + apigw.AuthorizePath, Token: p + apigw.TokenPath, Revocation: p + apigw.RevokePath, JWKS: p + "/.well-known/jwks.json",
		Responses: []string{"code"}, Modes: []string{"query"}, Grants: []string{"authorization_code", "refresh_token"}, Methods: none, RevokeMethods: none, Challenges: []string{"S256"},
		Iss: true, Documents: true, Subjects: []string{"public"}, Algorithms: []string{"ES256"}, Documentation: p + "/openapi.json"})
	if err == nil {
		out.Header.Set("Cache-Control", "public, max-age=3600")
	}
	return out, err
}

// maxTokenForm is more than a token request has, in bytes.
const maxTokenForm = 8 << 10

// tokenForm reads a form of a public client.
func (f *Function) tokenForm(r *apigw.Request) (url.Values, error) {
	if err := f.loginsOn(); err != nil {
		return nil, err
	}
	if len(r.Query()) > 0 { // a credential in an address is in logs already
		return nil, fault.New(fault.InvalidInput, "parameters go into the body").With("reason", "invalid_request")
	}
	if r.Header("Authorization") != "" {
		return nil, fault.New(fault.Unauthenticated, "clients here are public: send client_id in the body and no Authorization header").With("reason", "invalid_client")
	}
	if media, _, _ := strings.Cut(r.Header("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return nil, fault.New(fault.InvalidInput, "the body must be application/x-www-form-urlencoded").With("reason", "invalid_request")
	}
	body, err := r.BodyUpTo(maxTokenForm)
	if err != nil {
		return nil, err
	}
	return mcpauth.Form(body)
}

// tokens is the token endpoint over one tenant's stores.
func (f *Function) tokens(ctx context.Context, t tenant.ID, r *apigw.Request) (*mcpauth.Tokens, *dynamo.DB, error) {
	db, err := f.tenantDB(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	return &mcpauth.Tokens{Logins: db, Grants: db, Standing: db, Issuer: f.public, Now: f.deps.Now, NewSecret: f.deps.IDs.Secret,
		NewSession: func(s tenant.Scope) string { return authn.NewSessionID(f.deps.IDs, s) },
		Ended: func(ctx context.Context, g mcpauth.Grant, reason string) error {
			return f.loginEnded(ctx, db, g, reason, "oauth", r)
		}}, db, nil
}

// token gives tokens for a code or a refresh token (RFC 6749, section 3.2).
func (f *Function) token(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	q, err := f.tokenForm(r)
	if err != nil {
		return nil, err
	}
	var secret string
	take := (*mcpauth.Tokens).Exchange
	switch q.Get("grant_type") {
	case "authorization_code":
		secret = q.Get("code")
	case "refresh_token":
		secret, take = q.Get("refresh_token"), (*mcpauth.Tokens).Renew
	default:
		return nil, fault.New(fault.InvalidInput, "grant_type is authorization_code or refresh_token").With("reason", "unsupported_grant_type")
	}
	id, err := mcpauth.TenantOf(secret)
	if err != nil {
		return nil, fault.New(fault.InvalidInput, "the code or refresh token is not one of ours").With("reason", "invalid_grant")
	}
	tokens, db, err := f.tokens(ctx, id, r)
	if err != nil {
		return nil, err
	}
	got, err := take(tokens, ctx, id, q)
	if err != nil {
		return nil, err
	}
	return f.give(ctx, db, got, r)
}

// give signs the session, puts it on record and only then hands it over.
func (f *Function) give(ctx context.Context, db *dynamo.DB, got mcpauth.Issued, r *apigw.Request) (*apigw.Response, error) {
	s := got.Session
	token, err := authn.Mint(ctx, f.signer, f.public, s, f.deps.Now())
	if err != nil {
		return nil, err
	}
	note := audit.Record{ID: f.deps.IDs.New("aud"), Kind: audit.SessionCreated, Time: f.deps.Now(), Tenant: s.Tenant, Principal: string(s.Principal), Session: s.ID, Agent: s.Agent,
		By: got.Grant.By, VerifiedBy: "mcp_login", Outcome: "succeeded", RequestID: r.ID()}
	if got.Renewed {
		note.Kind = audit.LoginRenewed
	}
	if err := db.Record(ctx, note); err != nil {
		return nil, err
	}
	out := map[string]any{"access_token": string(token.Reveal(reveal.Key{})), "token_type": "Bearer", "expires_in": int(s.Expires.Sub(f.deps.Now()).Seconds())}
	if got.Refresh != "" {
		out["refresh_token"] = got.Refresh
	}
	if got.Scoped {
		out["scope"] = ""
	}
	res, err := apigw.JSON(http.StatusOK, out)
	if err == nil {
		res.Header.Set("Pragma", "no-cache") // RFC 6749, section 5.1
	}
	return res, err
}

// revokeToken ends the login behind a refresh token (RFC 7009). A token that is unknown is as good as revoked. An access token alone is
// not taken: it has no row, and ends within minutes.
func (f *Function) revokeToken(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	q, err := f.tokenForm(r)
	if err != nil {
		return nil, err
	}
	done := &apigw.Response{Status: http.StatusOK, Header: http.Header{"Cache-Control": {"no-store"}}}
	id, err := mcpauth.TenantOf(q.Get("token"))
	if err != nil {
		return done, nil
	}
	tokens, _, err := f.tokens(ctx, id, r)
	if err != nil {
		return nil, err
	}
	return done, tokens.Revoke(ctx, id, q.Get("token"), q.Get("client_id"))
}

func (f *Function) loginEnded(ctx context.Context, db *dynamo.DB, g mcpauth.Grant, reason, by string, r *apigw.Request) error {
	return db.Record(ctx, audit.Record{ID: f.deps.IDs.New("aud"), Kind: audit.LoginEnded, Time: f.deps.Now(), Tenant: g.Tenant, Principal: string(g.Principal), Session: g.Session,
		Agent: g.ClientID, By: by, Reason: reason, Outcome: "succeeded", RequestID: r.ID()})
}

// endSession ends a session, and the login of an MCP client that it is of, if it is of one.
func (f *Function) endSession(ctx context.Context, db *dynamo.DB, s tenant.Scope, id, by string, r *apigw.Request) error {
	g, err := db.Grant(ctx, s, id)
	if fault.Is(err, fault.NotFound) {
		return db.EndSession(ctx, s, id, f.deps.Now())
	}
	if err != nil {
		return err
	}
	if err := mcpauth.End(ctx, db, g, "session_ended", f.deps.Now()); err != nil {
		return err
	}
	return f.loginEnded(ctx, db, g, "session_ended", by, r)
}

// endLogins ends all logins of a principal.
func (f *Function) endLogins(ctx context.Context, db *dynamo.DB, s tenant.Scope, reason, by string, r *apigw.Request) error {
	all, err := db.GrantsOf(ctx, s)
	if err != nil {
		return err
	}
	for _, g := range all {
		if !g.Live(f.deps.Now()) {
			continue
		}
		if err := mcpauth.End(ctx, db, g, reason, f.deps.Now()); err != nil {
			return err
		}
		if err := f.loginEnded(ctx, db, g, reason, by, r); err != nil {
			return err
		}
	}
	return nil
}

// oauthErrors are the codes that a token endpoint may answer (RFC 6749, section 5.2; RFC 8707, section 2).
var oauthErrors = map[string]bool{"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unsupported_grant_type": true, "invalid_target": true}

// render shows errors of the token endpoints as OAuth has them.
func (f *Function) render(r *apigw.Request, err error, requestID string) *apigw.Response {
	if r.Resource() != apigw.TokenPath && r.Resource() != apigw.RevokePath {
		return apigw.Problem(err, requestID)
	}
	e := fault.From(err)
	res := apigw.Problem(err, requestID) // for its status and Retry-After
	code, _ := e.Detail["reason"].(string)
	switch {
	case oauthErrors[code]:
		if res.Status = http.StatusBadRequest; e.Code == fault.Unauthenticated {
			res.Status = http.StatusUnauthorized
			res.Header.Set("WWW-Authenticate", `Basic realm="behalf"`) // RFC 6749, section 5.2: the scheme that the client tried
		}
	case e.Code == fault.RateLimited:
		code, res.Status = "temporarily_unavailable", http.StatusServiceUnavailable
	case e.Code == fault.InvalidInput || e.Code == fault.NotFound:
		code = "invalid_request"
	default:
		code, res.Status = "server_error", http.StatusInternalServerError
	}
	res.Header.Set("Content-Type", "application/json")
	res.Body, _ = json.Marshal(map[string]string{"error": code, "error_description": e.Message}) // two texts always marshal
	return res
}
