package contract

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// KMS checks envelope encryption bound to a context, and signing. It creates keys and schedules
// them for deletion.
func KMS(t *testing.T, cfg aws.Config) {
	c := kms.NewFromConfig(cfg)
	key := newKey(t, c, types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt)
	t.Run("DataKey_SameContext_Decrypts", func(t *testing.T) { roundTrip(t, c, key) })
	t.Run("Ciphertext_AnyBitFlipped_IsRefused", func(t *testing.T) { tampered(t, c, key) })
	t.Run("ReEncrypt_OtherContext_Moves", func(t *testing.T) { reEncrypt(t, c, key) })
	t.Run("DisabledKey_Decrypt_IsRefused", func(t *testing.T) { disabled(t, c) })
	t.Run("Sign_RawAndDigest_VerifyWithPublicKey", func(t *testing.T) { signs(t, c) })
}

func newKey(t *testing.T, c *kms.Client, spec types.KeySpec, usage types.KeyUsageType) string {
	t.Helper()
	out, err := c.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	if err != nil {
		t.Fatalf("create key: %v", err)
	}
	arn := *out.KeyMetadata.Arn
	t.Cleanup(func() {
		if _, err := c.ScheduleKeyDeletion(context.WithoutCancel(t.Context()), &kms.ScheduleKeyDeletionInput{KeyId: &arn, PendingWindowInDays: aws.Int32(7)}); err != nil {
			t.Errorf("delete key: %v", err)
		}
	})
	return arn
}

func tenantContext(tenant string) map[string]string {
	return map[string]string{"tenant": tenant, "purpose": "at"}
}

func roundTrip(t *testing.T, c *kms.Client, key string) {
	dk, err := c.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256, EncryptionContext: tenantContext("a")})
	if err != nil || len(dk.Plaintext) != 32 {
		t.Fatalf("generate: %v", err)
	}
	got, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: dk.CiphertextBlob, EncryptionContext: tenantContext("a")})
	if err != nil || !bytes.Equal(got.Plaintext, dk.Plaintext) {
		t.Errorf("decrypt: %v", err)
	}
	for name, ec := range map[string]map[string]string{"other tenant": tenantContext("b"), "none": nil, "less": {"tenant": "a"}, "more": {"tenant": "a", "purpose": "at", "x": "y"}} {
		if _, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: dk.CiphertextBlob, EncryptionContext: ec}); code(err) != "InvalidCiphertextException" {
			t.Errorf("context %s: error is %v, want InvalidCiphertextException", name, err)
		}
	}
}

func tampered(t *testing.T, c *kms.Client, key string) {
	out, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("data key"), EncryptionContext: tenantContext("a")})
	if err != nil {
		t.Fatalf("encrypt: %v", err)
	}
	for i := range out.CiphertextBlob {
		bad := bytes.Clone(out.CiphertextBlob)
		bad[i] ^= 1
		if got, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: bad, EncryptionContext: tenantContext("a")}); err == nil {
			t.Fatalf("byte %d flipped, still decrypts to %q", i, got.Plaintext)
		}
	}
}

func reEncrypt(t *testing.T, c *kms.Client, key string) {
	out, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("data key"), EncryptionContext: tenantContext("a")})
	if err != nil {
		t.Fatalf("encrypt: %v", err)
	}
	moved, err := c.ReEncrypt(t.Context(), &kms.ReEncryptInput{CiphertextBlob: out.CiphertextBlob, SourceEncryptionContext: tenantContext("a"), DestinationKeyId: &key, DestinationEncryptionContext: tenantContext("b")})
	if err != nil {
		t.Fatalf("re-encrypt: %v", err)
	}
	got, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: moved.CiphertextBlob, EncryptionContext: tenantContext("b")})
	if err != nil || string(got.Plaintext) != "data key" {
		t.Errorf("decrypt: %v", err)
	}
}

func disabled(t *testing.T, c *kms.Client) {
	key := newKey(t, c, types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt)
	out, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
	if err != nil {
		t.Fatalf("encrypt: %v", err)
	}
	if _, err := c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &key}); err != nil {
		t.Fatalf("disable: %v", err)
	}
	_, err = c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob})
	wantCode(t, err, "DisabledException")
}

func signs(t *testing.T, c *kms.Client) {
	key := newKey(t, c, types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	pub, err := c.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &key})
	if err != nil {
		t.Fatalf("public key: %v", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(pub.PublicKey)
	if err != nil {
		t.Fatalf("parse public key: %v", err)
	}
	message := []byte("header.payload")
	digest := sha256.Sum256(message)
	for kind, m := range map[types.MessageType][]byte{types.MessageTypeRaw: message, types.MessageTypeDigest: digest[:]} {
		out, err := c.Sign(t.Context(), &kms.SignInput{KeyId: &key, Message: m, MessageType: kind, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
		if err != nil {
			t.Fatalf("sign %s: %v", kind, err)
		}
		if !ecdsa.VerifyASN1(parsed.(*ecdsa.PublicKey), digest[:], out.Signature) {
			t.Errorf("%s: signature does not verify", kind)
		}
	}
}
