package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"behalf.dev/behalf/integration/localaws/awserr"
)

const (
	version    = 1
	nonceSize  = 12
	headerSize = 1 + 16 + nonceSize
	maxPlain   = 4096 // bytes, KMS API Reference, Encrypt
)

// additionalData binds version, key and encryption context. Lengths make it injective.
func (k *key) additionalData(ec map[string]string) []byte {
	b := append([]byte{version}, k.id[:]...)
	for _, name := range slices.Sorted(maps.Keys(ec)) {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
		b = binary.AppendUvarint(b, uint64(len(ec[name])))
		b = append(b, ec[name]...)
	}
	return b
}

func (k *key) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.material)
	if err != nil {
		return nil, fmt.Errorf("open key material: %w", err)
	}
	return cipher.NewGCM(block)
}

func (k *key) seal(plain []byte, ec map[string]string) ([]byte, error) {
	g, err := k.aead()
	if err != nil {
		return nil, err
	}
	out := make([]byte, headerSize, headerSize+len(plain)+16)
	out[0] = version
	copy(out[1:], k.id[:])
	rand.Read(out[17:headerSize])
	return g.Seal(out, out[17:headerSize], plain, k.additionalData(ec)), nil
}

// open decrypts with the key that the ciphertext names; ref, when given, must be that key.
func (s *Store) open(ciphertext []byte, ref string, ec map[string]string) (*key, []byte, error) {
	bad := awserr.New("InvalidCiphertextException", "")
	if len(ciphertext) < headerSize+16 || ciphertext[0] != version {
		return nil, nil, bad
	}
	k := s.keys[[16]byte(ciphertext[1:17])]
	if ref != "" {
		named, err := s.find(ref)
		if err != nil {
			return nil, nil, err
		}
		if k != nil && named != k {
			return nil, nil, awserr.New("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	if k == nil {
		return nil, nil, bad
	}
	if err := k.ready(Symmetric); err != nil {
		return nil, nil, err
	}
	g, err := k.aead()
	if err != nil {
		return nil, nil, err
	}
	plain, err := g.Open(nil, ciphertext[17:headerSize], ciphertext[headerSize:], k.additionalData(ec))
	if err != nil {
		return nil, nil, bad
	}
	return k, plain, nil
}

func (s *Store) generate(r *Request) (any, error) {
	k, err := s.usable(r.q.KeyID, Symmetric)
	if err != nil {
		return nil, err
	}
	n := r.q.NumberOfBytes
	switch {
	case r.q.KeySpec == "AES_256" && n == 0:
		n = 32
	case r.q.KeySpec == "AES_128" && n == 0:
		n = 16
	case r.q.KeySpec != "" || n < 1 || n > 1024:
		return nil, awserr.Validation("Please specify either number of bytes or key spec.")
	}
	plain := make([]byte, n)
	rand.Read(plain)
	sealed, err := k.seal(plain, r.q.EncryptionContext)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"KeyId": k.arn, "CiphertextBlob": sealed}
	if r.op == "GenerateDataKey" {
		out["Plaintext"] = plain
	}
	return out, nil
}

func (s *Store) encrypt(r *Request) (any, error) {
	k, err := s.usable(r.q.KeyID, Symmetric)
	if err != nil {
		return nil, err
	}
	if n := len(r.q.Plaintext); n == 0 || n > maxPlain {
		return nil, awserr.Validation("1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096 and greater than or equal to 1")
	}
	sealed, err := k.seal(r.q.Plaintext, r.q.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyId": k.arn, "CiphertextBlob": sealed, "EncryptionAlgorithm": Symmetric}, nil
}

func (s *Store) decrypt(r *Request) (any, error) {
	k, plain, err := s.open(r.q.CiphertextBlob, r.q.KeyID, r.q.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyId": k.arn, "Plaintext": plain, "EncryptionAlgorithm": Symmetric}, nil
}

func (s *Store) reEncrypt(r *Request) (any, error) {
	from, plain, err := s.open(r.q.CiphertextBlob, r.q.SourceKeyID, r.q.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	to, err := s.usable(r.q.DestinationKeyID, Symmetric)
	if err != nil {
		return nil, err
	}
	sealed, err := to.seal(plain, r.q.DestinationEncryptionCtx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"SourceKeyId": from.arn, "KeyId": to.arn, "CiphertextBlob": sealed,
		"SourceEncryptionAlgorithm": Symmetric, "DestinationEncryptionAlgorithm": Symmetric}, nil
}

func (s *Store) sign(r *Request) (any, error) {
	k, err := s.usable(r.q.KeyID, P256)
	if err != nil {
		return nil, err
	}
	if r.q.SigningAlgorithm != "ECDSA_SHA_256" {
		return nil, awserr.New("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", r.q.SigningAlgorithm, k.spec)
	}
	digest := r.q.Message
	switch r.q.MessageType {
	case "", "RAW":
		if n := len(digest); n == 0 || n > maxPlain {
			return nil, awserr.Validation("1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096 and greater than or equal to 1")
		}
		sum := sha256.Sum256(r.q.Message)
		digest = sum[:]
	case "DIGEST":
		if len(digest) != sha256.Size {
			return nil, awserr.Validation("Digest is invalid length for algorithm ECDSA_SHA_256.")
		}
	default:
		return nil, awserr.Unknown("kms MessageType " + r.q.MessageType)
	}
	sig, err := ecdsa.SignASN1(rand.Reader, k.signer, digest)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return map[string]any{"KeyId": k.arn, "Signature": sig, "SigningAlgorithm": r.q.SigningAlgorithm}, nil
}

func (s *Store) publicKey(r *Request) (any, error) {
	k, err := s.usable(r.q.KeyID, P256)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&k.signer.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return map[string]any{"KeyId": k.arn, "PublicKey": der, "KeySpec": k.spec, "CustomerMasterKeySpec": k.spec,
		"KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": []string{"ECDSA_SHA_256"}}, nil
}
