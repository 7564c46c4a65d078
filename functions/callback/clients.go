package callback

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/clientcert"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthclient"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
)

// owner is whose client a request is about: the tenant in the path, or the deployment.
func (f *Function) owner(ctx context.Context, r *apigw.Request, by authn.Caller) (workspace.Workspace, tenant.ID, string, error) {
	var w workspace.Workspace
	connector, err := r.Path("connector")
	if err != nil {
		return w, "", "", err
	}
	if _, err := f.catalog.Connector(connector); err != nil {
		return w, "", "", err
	}
	owner := tenant.Deployment
	if r.Names("tenant") {
		if owner, err = r.Tenant(by); err != nil {
			return w, "", "", err
		}
	} else if err := by.MayTouch(tenant.Deployment); err != nil {
		return w, "", "", err
	}
	w, err = f.workspaceFor(ctx, tenant.Scope{Tenant: owner, Principal: nobody})
	if err == nil && owner != tenant.Deployment {
		_, err = w.DB.LiveTenant(ctx, owner)
	}
	return w, owner, connector, err
}

func (f *Function) clientView(c connection.StoredClient) map[string]any {
	out := map[string]any{"connector": c.Connector, "client_id": c.ID, "updated_at": c.Updated.UTC(), "redirect_uri": oauthflow.RedirectURI(f.public, c.Connector, c.Owner)}
	if len(c.Params) > 0 {
		out["params"] = c.Params
	}
	if cert := certificateOf(c); cert != nil {
		out["certificate"] = cert
	}
	return out
}

// certificateOf tells a client's certificate from others; nil when it shows none.
func certificateOf(c connection.StoredClient) map[string]any {
	block, _ := pem.Decode([]byte(c.Certificate))
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil { // it was read when it was stored
		return nil
	}
	sum := sha256.Sum256(cert.Raw)
	return map[string]any{"sha256": hex.EncodeToString(sum[:]), "not_after": cert.NotAfter.UTC()}
}

// maxCertificate bounds a chain in bytes: a client is one item of the store.
const maxCertificate = 32 << 10

// checkCertificate checks that a certificate can be used now, with the key that came with it.
func checkCertificate(b clientBody, now time.Time) error {
	if len(b.Certificate) > maxCertificate {
		return fault.Invalid("/certificate", "a certificate with its chain has at most %d bytes", maxCertificate)
	}
	cert, err := clientcert.Parse([]byte(b.Certificate), []byte(b.PrivateKey))
	if err != nil {
		return fault.Invalid("/certificate", "%v", err)
	}
	if now.Before(cert.NotBefore()) || !now.Before(cert.NotAfter()) {
		return fault.Invalid("/certificate", "the certificate is good from %s to %s only", cert.NotBefore().Format(time.RFC3339), cert.NotAfter().Format(time.RFC3339))
	}
	return nil
}

type clientBody struct {
	ClientID     string            `json:"client_id"`
	ClientSecret string            `json:"client_secret"`
	PrivateKey   string            `json:"private_key"`
	Certificate  string            `json:"certificate"`
	Params       map[string]string `json:"params"`
}

// registration checks the body against what the connector's clients prove themselves with.
func (b clientBody) registration(spec *catalog.Connector, now time.Time) (in oauthclient.Registration, err error) {
	if !spec.UsesClient() {
		return in, fault.New(fault.Conflict, "%s connects with a credential of the account; it has no OAuth client to register", spec.Name).With("connector", spec.ID)
	}
	const where = "the provider shows it where the OAuth app is registered"
	if b.ClientID == "" || len(b.ClientID) > 512 {
		return in, fault.Invalid("/client_id", "client_id is missing; %s", where)
	}
	if (b.ClientSecret == "") && spec.WantsSecret() || len(b.ClientSecret) > 4096 {
		return in, fault.Invalid("/client_secret", "client_secret is missing; %s", where)
	}
	if spec.ShowsCertificate() != (b.Certificate != "") {
		if b.Certificate != "" {
			return in, fault.Invalid("/certificate", "clients of %s show no certificate; leave certificate out", spec.Name)
		}
		return in, fault.Invalid("/certificate", "certificate is missing: clients of %s show one, as PEM, when they connect", spec.Name)
	}
	if (spec.SignsAsClient() || spec.ShowsCertificate()) != (b.PrivateKey != "") {
		if b.PrivateKey != "" {
			return in, fault.Invalid("/private_key", "clients of %s do not sign; leave private_key out", spec.Name)
		}
		return in, fault.Invalid("/private_key", "private_key is missing: clients of %s sign with one, as PEM", spec.Name)
	}
	if b.Certificate != "" {
		if err := checkCertificate(b, now); err != nil {
			return in, err
		}
	}
	if b.PrivateKey != "" && b.ClientSecret != "" && !spec.WantsSecret() {
		return in, fault.Invalid("/client_secret", "clients of %s sign and have no secret; leave client_secret out", spec.Name)
	}
	if b.PrivateKey != "" {
		if _, err := catalog.ParsePrivateKey([]byte(b.PrivateKey)); err != nil {
			return in, fault.Invalid("/private_key", "private_key is not usable: %v", err)
		}
	}
	in = oauthclient.Registration{ID: b.ClientID, Secret: secret.FromString(b.ClientSecret), PrivateKey: secret.FromString(b.PrivateKey), Certificate: b.Certificate, Params: b.Params}
	return in, spec.CheckParams(b.Params)
}

func (f *Function) putClient(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b clientBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	id, err := r.Path("connector")
	if err != nil {
		return nil, err
	}
	spec, err := f.catalog.Connector(id)
	if err != nil {
		return nil, err
	}
	in, err := b.registration(spec, f.deps.Now())
	if err != nil {
		return nil, err
	}
	w, owner, connector, err := f.owner(ctx, r, by)
	if err != nil {
		return nil, err
	}
	c, err := w.Clients.Put(ctx, owner, connector, in)
	if err != nil {
		return nil, err
	}
	if err := f.noteClient(ctx, w, owner, connector, "stored", by); err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, f.clientView(c))
}

func (f *Function) noteClient(ctx context.Context, w workspace.Workspace, owner tenant.ID, connector, what string, by authn.Caller) error {
	return w.DB.Record(ctx, audit.Record{ID: f.deps.IDs.New("aud"), Kind: audit.ClientChanged, Time: f.deps.Now(), Tenant: owner, Connector: connector, Reason: what, By: by.KeyID, Outcome: "succeeded"})
}

func (f *Function) getClient(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	w, owner, connector, err := f.owner(ctx, r, by)
	if err != nil {
		return nil, err
	}
	c, err := w.Clients.Describe(ctx, owner, connector)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, f.clientView(c))
}

func (f *Function) deleteClient(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	w, owner, connector, err := f.owner(ctx, r, by)
	if err != nil {
		return nil, err
	}
	if _, err := w.Clients.Describe(ctx, owner, connector); err != nil {
		return nil, err
	}
	if err := w.Clients.Delete(ctx, owner, connector); err != nil {
		return nil, err
	}
	if err := f.noteClient(ctx, w, owner, connector, "deleted", by); err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusNoContent}, nil
}
