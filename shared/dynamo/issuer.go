package dynamo

import (
	"context"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Issuer reads the tenant's OpenID provider; fault.NotFound when none is set.
func (db *DB) Issuer(ctx context.Context, t tenant.ID) (out authn.Issuer, err error) {
	i, err := db.get(ctx, db.names.Directory, issuerKey(t))
	if err != nil {
		return out, err
	}
	if i == nil {
		return out, fault.New(fault.NotFound, "tenant %q has no OIDC issuer; set one with PUT /v1/tenants/%s/issuer", t, t).With("reason", "no_issuer")
	}
	err = decode(i, &out)
	out.Version = number(i, attrVersion)
	return out, err
}

// PutIssuer writes the tenant's OpenID provider if the stored version is x's (0: none); fault.Conflict otherwise.
func (db *DB) PutIssuer(ctx context.Context, t tenant.ID, x authn.Issuer) error {
	i, err := document(issuerKey(t), x.Version+1, x)
	if err != nil {
		return err
	}
	_, err = db.put(ctx, db.names.Directory, i, x.Version)
	return err
}

// DeleteIssuer removes it. Deleting what is not there is no error.
func (db *DB) DeleteIssuer(ctx context.Context, t tenant.ID) error {
	return db.delete(ctx, db.names.Directory, issuerKey(t))
}
