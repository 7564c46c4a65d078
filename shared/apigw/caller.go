package apigw

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// What the authorizer tells the functions about a caller. API Gateway carries text only.
const (
	ctxKind        = "kind"
	ctxKey         = "key_id"
	ctxTenant      = "tenant"
	ctxPrincipal   = "principal"
	ctxPermissions = "permissions"
	ctxSession     = "session"
	ctxAccessKey   = "aws_access_key"
	ctxSecretKey   = "aws_secret_key"
	ctxToken       = "aws_session_token"
	ctxResource    = "resource"
	ctxBehalf      = "behalf_" // begins the three of the user on whose behalf a session acts
)

// KeyContext is the authorizer's answer for an API key or SCIM token.
func KeyContext(k authn.Key) map[string]any {
	kind := Key
	if k.Kind == authn.SCIMKey {
		kind = SCIMKey
	}
	return map[string]any{ctxKind: string(kind), ctxKey: k.ID, ctxTenant: string(k.Tenant), ctxPermissions: strings.Join(k.Permissions, ",")}
}

// SessionContext is the authorizer's answer for a session: who it is, and the credentials vended for exactly that.
func SessionContext(s authn.Session, c aws.Credentials) (map[string]any, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	out := map[string]any{ctxKind: string(Session), ctxTenant: string(s.Tenant), ctxPrincipal: string(s.Principal), ctxSession: string(b),
		ctxAccessKey: c.AccessKeyID, ctxSecretKey: c.SecretAccessKey, ctxToken: c.SessionToken}
	if s.Resource != "" {
		out[ctxResource] = s.Resource
	}
	return out, nil
}

// BehalfContext adds the credentials vended for the user on whose behalf a session acts.
func BehalfContext(values map[string]any, c aws.Credentials) {
	values[ctxBehalf+ctxAccessKey], values[ctxBehalf+ctxSecretKey], values[ctxBehalf+ctxToken] = c.AccessKeyID, c.SecretAccessKey, c.SessionToken
}

// Behalf is the credentials of the user on whose behalf the session acts; fault.Internal when there are none.
func (r *Request) Behalf() (aws.CredentialsProvider, error) { return r.vended(ctxBehalf) }

// concrete is the route's path with the view that it names, as a token's resource has it.
func (r *Request) concrete() (string, error) {
	if !r.Names("view") {
		return r.Resource(), nil
	}
	view, err := r.Path("view")
	return strings.Replace(r.Resource(), "{view}", view, 1), err
}

// Reach is the path that the authorizer's answer limits a session to; empty for none.
func Reach(values map[string]any) string {
	s, _ := values[ctxResource].(string)
	return s
}

// vended reads one set of credentials.
func (r *Request) vended(prefix string) (aws.CredentialsProvider, error) {
	ak, sk, tok := r.Authorizer(prefix+ctxAccessKey), r.Authorizer(prefix+ctxSecretKey), r.Authorizer(prefix+ctxToken)
	if ak == "" || sk == "" || tok == "" {
		return nil, fault.New(fault.Internal, "no credentials were vended for this session")
	}
	return credentials.NewStaticCredentialsProvider(ak, sk, tok), nil
}

// Caller is the back end behind the request. It returns fault.Unauthenticated when the authorizer named none: a missing
// identity is an error, never a default.
func (r *Request) Caller() (authn.Caller, error) {
	if r.Authorizer(ctxKind) != string(Key) {
		return authn.Caller{}, fault.New(fault.Unauthenticated, "this call needs an API key: Authorization: Bearer bhf_key_…")
	}
	t := tenant.ID(r.Authorizer(ctxTenant))
	if t == "" {
		return authn.Caller{}, fault.New(fault.Unauthenticated, "the API key names no owner")
	}
	return authn.Caller{KeyID: r.Authorizer(ctxKey), Tenant: t, Permissions: strings.Split(r.Authorizer(ctxPermissions), ",")}, nil
}

// SCIMTenant is the tenant whose identity provider is calling; fault.Unauthenticated otherwise.
func (r *Request) SCIMTenant() (tenant.ID, error) {
	if r.Authorizer(ctxKind) != string(SCIMKey) {
		return "", fault.New(fault.Unauthenticated, "this call needs a SCIM token: Authorization: Bearer bhf_scim_…")
	}
	return tenant.Parse("tenant", r.Authorizer(ctxTenant))
}

// Session is the agent's session and the credentials vended for it; fault.Unauthenticated otherwise. The session's end
// is checked again, because the authorizer's answer may come from API Gateway's cache.
func (r *Request) Session(now time.Time) (authn.Session, aws.CredentialsProvider, error) {
	if r.Authorizer(ctxKind) != string(Session) {
		return authn.Session{}, nil, fault.New(fault.Unauthenticated, "this call needs a session token; create one with POST /v1/sessions")
	}
	var s authn.Session
	if err := json.Unmarshal([]byte(r.Authorizer(ctxSession)), &s); err != nil {
		return s, nil, fault.New(fault.Unauthenticated, "the session cannot be read").WithCause(err)
	}
	if !s.Valid() || string(s.Tenant) != r.Authorizer(ctxTenant) || string(s.Principal) != r.Authorizer(ctxPrincipal) {
		return s, nil, fault.New(fault.Unauthenticated, "the session names nobody")
	}
	if !now.Before(s.Expires) {
		return s, nil, fault.New(fault.Unauthenticated, "the session expired; create a new one with POST /v1/sessions")
	}
	path, err := r.concrete()
	if err != nil {
		return s, nil, err
	}
	if !s.Reaches(path) { // the authorizer lets none of these by; this is for a mistake there
		return s, nil, fault.New(fault.Unauthenticated, "this token is for %s alone", s.Resource)
	}
	creds, err := r.vended("")
	return s, creds, err
}
