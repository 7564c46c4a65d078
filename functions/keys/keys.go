package keys

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/awskms"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
)

// Function renews keys.
type Function struct {
	deps    awslambda.Deps
	mux     *apigw.Mux
	stage   string
	key     string // the deployment's KMS key
	allowed []string
	open    *workspace.Opener
	vendor  *awssts.Vendor
	list    *dynamo.DB // the list of tenants, with the function's own credentials
	kms     *awskms.KMS
	roles   []trier
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.TenantKeys, env.KeysRole, env.ExecuteRole, env.RefreshRole, env.ConnectRole}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	f := &Function{deps: d, stage: r.Require(env.Stage), key: r.Require(env.VaultKey), allowed: patterns(r.Require(env.TenantKeys))}
	tables, role := workspace.Tables(r), r.Require(env.KeysRole)
	client := sts.NewFromConfig(d.AWS)
	f.roles = triers(client, d.Now, r.Require(env.ExecuteRole), r.Require(env.RefreshRole), r.Require(env.ConnectRole))
	if err := r.Err(); err != nil {
		return nil, err
	}
	f.vendor = awssts.NewVendor(client, role, d.Now)
	f.roles = append([]trier{{role: role, vendor: f.vendor, makes: true, purposes: keyring.Brought()}}, f.roles...)
	f.open = workspace.NewOpener(d.AWS, f.stage, tables, f.key, d.Now)
	f.list = dynamo.New(dynamodb.NewFromConfig(d.AWS), tables, d.Now)
	f.kms = awskms.New(kms.NewFromConfig(d.AWS), f.key)
	f.mux = apigw.NewMux(d.Log, apigw.RequireOwners(map[string]apigw.KeyHandler{
		"GET /v1/tenants/{tenant}/keys":         f.listKeys,
		"POST /v1/tenants/{tenant}/keys/rotate": f.rotateKeys,
		"POST /v1/tenants/{tenant}/keys/reseal": f.reseal,
		"PUT /v1/tenants/{tenant}/kms-key":      f.putKMSKey,
		"DELETE /v1/tenants/{tenant}/kms-key":   f.deleteKMSKey,
	}))
	return f, nil
}

// Handle tells its two callers apart by what they send: a contract.KeysCall is the schedule's, the rest are HTTP requests.
func (f *Function) Handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var call contract.KeysCall
	if err := json.Unmarshal(payload, &call); err == nil && call.Schedule {
		return f.schedule(ctx)
	}
	var e events.APIGatewayProxyRequest
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("decode the call: %w", err)
	}
	return f.mux.Handle(ctx, e)
}

// owned is what a request may work with.
type owned struct {
	workspace.Workspace
	tenant tenant.ID
	ring   *keyring.Keyring
}

// live opens the stores for a tenant that exists and was not deleted, or for the deployment.
func (f *Function) live(ctx context.Context, t tenant.ID) (owned, error) {
	creds, err := f.vendor.ForTenant(ctx, t)
	if err != nil {
		return owned{}, err
	}
	w := f.open.OpenWith(creds)
	if t != tenant.Deployment {
		if _, err := w.DB.LiveTenant(ctx, t); err != nil {
			return owned{}, err
		}
	}
	ring := keyring.New(keyring.Deps{Sealer: w.Vault, Keys: w.DB, Records: w.DB, Clients: w.DB, Webhooks: w.DB, Walks: w.DB, Recorder: w.DB, Log: f.deps.Log, Now: f.deps.Now, NewID: f.deps.IDs.New})
	return owned{w, t, ring}, nil
}
