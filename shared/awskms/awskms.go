// Package awskms wraps tenant keys and signs sessions with AWS KMS.
package awskms

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/vault"
)

// KMS wraps and unwraps tenant keys under the deployment's KMS key, or under one that a tenant brings. The encryption context of each request is what IAM decides by:
// credentials vended for one tenant can unwrap nothing of another.
type KMS struct {
	client *kms.Client
	keyARN string
}

// New returns a KMS for the key keyARN.
func New(client *kms.Client, keyARN string) *KMS { return &KMS{client, keyARN} }

// With returns a KMS over the same connections with other credentials, and with a signer of its own (see dynamo.DB.With).
func (k *KMS) With(creds aws.CredentialsProvider) *KMS {
	return &KMS{kms.New(k.client.Options(), func(o *kms.Options) {
		o.Credentials, o.HTTPSignerV4, o.AuthSchemes = creds, v4.NewSigner(), nil
	}), k.keyARN}
}

// GenerateDataKey makes a 32-byte key wrapped by the KMS key named, or by the deployment's when named is empty.
func (k *KMS) GenerateDataKey(ctx context.Context, named string, ec map[string]string) (plaintext, wrapped []byte, keyARN string, err error) {
	if named == "" {
		named = k.keyARN
	}
	out, err := k.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &named, KeySpec: types.DataKeySpecAes256, EncryptionContext: ec})
	if err != nil {
		return nil, nil, "", fmt.Errorf("make a tenant key: %w", err)
	}
	return out.Plaintext, out.CiphertextBlob, aws.ToString(out.KeyId), nil
}

// Decrypt unwraps a key that keyARN wrapped. Naming the key refuses a ciphertext made under another one.
func (k *KMS) Decrypt(ctx context.Context, wrapped []byte, keyARN string, ec map[string]string) ([]byte, error) {
	out, err := k.client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: wrapped, KeyId: &keyARN, EncryptionContext: ec})
	if err != nil {
		return nil, fmt.Errorf("unwrap a tenant key: %w", err)
	}
	return out.Plaintext, nil
}

// Signer signs session tokens with an ECC_NIST_P256 key that never leaves KMS.
type Signer struct {
	client *kms.Client
	keyARN string

	mu     sync.Mutex
	public *ecdsa.PublicKey
}

// NewSigner returns a Signer for the key keyARN.
func NewSigner(client *kms.Client, keyARN string) *Signer {
	return &Signer{client: client, keyARN: keyARN}
}

// SignDigest returns the ASN.1 ECDSA signature of a SHA-256 digest.
func (s *Signer) SignDigest(ctx context.Context, digest []byte) ([]byte, error) {
	out, err := s.client.Sign(ctx, &kms.SignInput{KeyId: &s.keyARN, Message: digest, MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	if err != nil {
		return nil, fmt.Errorf("sign with the session key: %w", err)
	}
	return out.Signature, nil
}

// PublicKey returns the public half, asked of KMS once, and its key id: the last part of the ARN.
func (s *Signer) PublicKey(ctx context.Context) (*ecdsa.PublicKey, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kid := s.keyARN[strings.LastIndex(s.keyARN, "/")+1:]
	if s.public != nil {
		return s.public, kid, nil
	}
	out, err := s.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &s.keyARN})
	if err != nil {
		return nil, "", fmt.Errorf("read the session key: %w", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		return nil, "", fmt.Errorf("read the session key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, "", fmt.Errorf("the session key is %T, not ECDSA", parsed)
	}
	s.public = key
	return key, kid, nil
}

var (
	_ vault.KMS    = (*KMS)(nil)
	_ authn.Signer = (*Signer)(nil)
)
