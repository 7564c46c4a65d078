package vault

import (
	"bytes"
	"context"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// probeVersion is the version in the encryption context of a probe. No tenant key has it, so a probe's key opens nothing.
const probeVersion = 0

// MakeProbe asks k for a data key wrapped by keyARN as the tenant keys of purpose p would be, unwraps it again, and returns
// the wrapped form. The key itself is thrown away. It returns KMS's error.
func MakeProbe(ctx context.Context, k KMS, environment, keyARN string, t tenant.ID, p connection.Purpose) (wrapped []byte, err error) {
	ec := encryptionContext(environment, t, p, probeVersion)
	key, wrapped, _, err := k.GenerateDataKey(ctx, keyARN, ec)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	again, err := k.Decrypt(ctx, wrapped, keyARN, ec)
	if err != nil {
		return nil, err
	}
	defer clear(again)
	if len(key) != tenantKeyBytes || !bytes.Equal(key, again) {
		return nil, fault.New(fault.Internal, "KMS unwrapped another key than it had wrapped")
	}
	return wrapped, nil
}

// OpenProbe unwraps what MakeProbe wrapped, with other credentials perhaps, and throws it away. It returns KMS's error.
func OpenProbe(ctx context.Context, k KMS, environment, keyARN string, t tenant.ID, p connection.Purpose, wrapped []byte) error {
	key, err := k.Decrypt(ctx, wrapped, keyARN, encryptionContext(environment, t, p, probeVersion))
	clear(key)
	return err
}
