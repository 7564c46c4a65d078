package keys

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

// of opens the stores for the owner that the path names.
func (f *Function) of(ctx context.Context, r *apigw.Request, by authn.Caller) (owned, error) {
	if err := r.Only(); err != nil {
		return owned{}, err
	}
	t, err := r.Owner(by)
	if err != nil {
		return owned{}, err
	}
	return f.live(ctx, t)
}

type keyView struct {
	Purpose connection.Purpose `json:"purpose"`
	Version uint32             `json:"version"`
	KeyARN  string             `json:"kms_key_arn"`
	Created time.Time          `json:"created_at"`
	Newest  bool               `json:"newest"`
}

type keysView struct {
	Tenant tenant.ID `json:"tenant"`
	// KeyARN is the KMS key that wraps the newest versions.
	KeyARN string `json:"kms_key_arn"`
	// Own tells that this key is one that the tenant brought.
	Own  bool      `json:"own_kms_key"`
	Keys []keyView `json:"keys"`
}

func (f *Function) view(ctx context.Context, w owned) (*apigw.Response, error) {
	all, err := w.DB.Keys(ctx, w.tenant)
	if err != nil {
		return nil, err
	}
	newest := keyring.Newest(all)
	out := keysView{Tenant: w.tenant, KeyARN: f.key, Keys: []keyView{}}
	for _, k := range all {
		top := newest[k.Purpose].Version == k.Version
		if top && k.KeyARN != f.key {
			out.KeyARN, out.Own = k.KeyARN, true
		}
		out.Keys = append(out.Keys, keyView{k.Purpose, k.Version, k.KeyARN, k.Created.UTC(), top})
	}
	return apigw.JSON(http.StatusOK, out)
}

func (f *Function) listKeys(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	w, err := f.of(ctx, r, by)
	if err != nil {
		return nil, err
	}
	return f.view(ctx, w)
}

func (f *Function) rotateKeys(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	w, err := f.of(ctx, r, by)
	if err != nil {
		return nil, err
	}
	if err := f.rotate(ctx, w, "", audit.KeysRotated, by.KeyID); err != nil {
		return nil, err
	}
	return f.view(ctx, w)
}

// rotate makes new versions and puts them on record.
func (f *Function) rotate(ctx context.Context, w owned, keyARN string, kind audit.Kind, by string) error {
	purposes := keyring.Brought()
	if w.tenant == tenant.Deployment {
		purposes = []connection.Purpose{connection.ClientSecret}
	}
	made, err := w.Vault.Rotate(ctx, w.tenant, keyARN, purposes...)
	if err == nil && kind == audit.KeysRotated { // most have no webhook, and need no key for one
		var more []vault.Rotation
		more, err = w.Vault.RotateOlder(ctx, w.tenant, f.deps.Now().Add(24*time.Hour), connection.WebhookSecret)
		made = append(made, more...)
	}
	return f.note(ctx, w, made, err, kind, keyARN, by)
}

// note puts what a rotation made on record, before its error is looked at.
func (f *Function) note(ctx context.Context, w owned, made []vault.Rotation, err error, kind audit.Kind, keyARN, by string) error {
	if len(made) == 0 {
		return err
	}
	rec := audit.Record{ID: f.deps.IDs.New("aud"), Kind: kind, Time: f.deps.Now(), Tenant: w.tenant, By: by, Outcome: "succeeded", Reason: versions(made)}
	if kind == audit.KMSKeyChanged {
		rec.Reason += " " + keyARN
	}
	if err != nil {
		rec.Outcome = "failed"
	}
	return errors.Join(err, w.DB.Record(ctx, rec))
}

// versions writes rotations as "at/2 rt/2 cs/2".
func versions(made []vault.Rotation) string {
	out := make([]string, len(made))
	for i, r := range made {
		out[i] = string(r.Purpose) + "/" + strconv.FormatUint(uint64(r.Version), 10)
	}
	return strings.Join(out, " ")
}

type resealBody struct {
	Cursor             string `json:"cursor"`
	RetireAfterSeconds *int64 `json:"retire_after_seconds"`
}

type retiredView struct {
	Purpose connection.Purpose `json:"purpose"`
	Version uint32             `json:"version"`
	KeyARN  string             `json:"kms_key_arn"`
}

type resealView struct {
	Resealed   int           `json:"resealed"`
	Current    int           `json:"current"`
	Skipped    int           `json:"skipped"`
	Unreadable int           `json:"unreadable"`
	Retired    []retiredView `json:"retired"`
	Cursor     string        `json:"cursor,omitempty"`
}

// One step of a request: API Gateway gives up after 29 seconds.
const (
	stepTime  = 20 * time.Second
	stepLimit = 2000 // connections
)

func (f *Function) reseal(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	var b resealBody
	if raw, err := r.Body(); err == nil && len(raw) > 0 {
		if err := r.JSON(&b); err != nil {
			return nil, err
		}
	}
	w, err := f.of(ctx, r, by)
	if err != nil {
		return nil, err
	}
	o := keyring.Order{Tenant: w.tenant, Cursor: b.Cursor, Until: f.deps.Now().Add(stepTime), Limit: stepLimit, By: by.KeyID}
	if s := b.RetireAfterSeconds; s != nil {
		if least := int64(keyring.MinRetireAfter / time.Second); *s < least || *s > 10*365*24*3600 {
			return nil, fault.Invalid("/retire_after_seconds", "retire_after_seconds is %d to 315360000: for so long after a rotation something may still be sealed under the version before", least)
		}
		o.RetireAfter = time.Duration(*s) * time.Second
	}
	did, err := w.ring.Reseal(ctx, o)
	if err != nil {
		return nil, err
	}
	out := resealView{did.Resealed, did.Current, did.Skipped, did.Unreadable, []retiredView{}, did.Cursor}
	for _, k := range did.Retired {
		out.Retired = append(out.Retired, retiredView(k))
	}
	return apigw.JSON(http.StatusOK, out)
}
