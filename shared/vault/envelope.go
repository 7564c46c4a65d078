package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"

	"behalf.dev/behalf/shared/connection"
)

// Envelope layout, big-endian:
//
//	 0  3  magic "BV1"
//	 3  1  purpose 'a' | 'r' | 'c' | 'w'
//	 4  4  version of the tenant key
//	 8 32  salt
//	40 32  key commitment
//	72 12  nonce
//	84  n  ciphertext
//	    16 tag
//
// prk = HKDF-Extract(tenant key, salt); key = HKDF-Expand(prk, "key\0"‖aad); commitment = HKDF-Expand(prk,
// "commit\0"‖aad). The commitment stops one ciphertext from opening under two keys, which GCM alone allows
// (RFC 9771, section 4.3.5). GCM's additional data is the first 72 bytes and the encoded binding.
const (
	magic          = "BV1"
	saltAt         = 8
	commitmentAt   = 40
	nonceAt        = 72
	ciphertextAt   = 84
	overhead       = ciphertextAt + 16
	tenantKeyBytes = 32
)

// errNotOpened is the cause of every failure to open: wrong key, wrong binding, damaged bytes. It tells no more, so that
// a caller cannot probe.
var errNotOpened = errors.New("the sealed value does not open for this binding")

// purposeByte is the envelope's fourth byte.
func purposeByte(p connection.Purpose) (byte, error) {
	switch p {
	case connection.AccessToken:
		return 'a', nil
	case connection.RefreshToken:
		return 'r', nil
	case connection.ClientSecret:
		return 'c', nil
	case connection.WebhookSecret:
		return 'w', nil
	}
	return 0, errors.New("unknown purpose")
}

// additional encodes environment and binding with length prefixes, so that no two bindings share an encoding.
func additional(environment string, b connection.Binding) []byte {
	out := make([]byte, 0, 128)
	for _, s := range [...]string{"bv1", environment, b.Tenant.Tag(), b.Principal.Tag(), b.Record, string(b.Purpose)} {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	return binary.BigEndian.AppendUint64(out, b.Generation)
}

// recordKey derives the AEAD and the key commitment of one record.
func recordKey(tenantKey, salt, aad []byte) (cipher.AEAD, []byte, error) {
	prk, err := hkdf.Extract(sha256.New, tenantKey, salt)
	if err != nil {
		return nil, nil, err
	}
	key, err := hkdf.Expand(sha256.New, prk, "key\x00"+string(aad), tenantKeyBytes)
	if err != nil {
		return nil, nil, err
	}
	commitment, err := hkdf.Expand(sha256.New, prk, "commit\x00"+string(aad), sha256.Size)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	clear(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, commitment, err
}

func seal(tenantKey []byte, version uint32, environment string, b connection.Binding, plaintext []byte, random io.Reader) ([]byte, error) {
	p, err := purposeByte(b.Purpose)
	if err != nil {
		return nil, err
	}
	out := make([]byte, ciphertextAt, overhead+len(plaintext))
	copy(out, magic)
	out[3] = p
	binary.BigEndian.PutUint32(out[4:], version)
	if _, err := io.ReadFull(random, out[saltAt:commitmentAt]); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(random, out[nonceAt:ciphertextAt]); err != nil {
		return nil, err
	}
	aad := additional(environment, b)
	aead, commitment, err := recordKey(tenantKey, out[saltAt:commitmentAt], aad)
	if err != nil {
		return nil, err
	}
	copy(out[commitmentAt:], commitment)
	full := append(append(make([]byte, 0, nonceAt+len(aad)), out[:nonceAt]...), aad...)
	return aead.Seal(out, out[nonceAt:ciphertextAt], plaintext, full), nil
}

// VersionOf reads which version of the tenant key a value of purpose p is sealed under. It opens nothing, so what it says may
// be forged; Open tells. It returns an error that Damaged recognises for bytes that are no envelope of that purpose.
func VersionOf(sealed []byte, p connection.Purpose) (uint32, error) { return version(sealed, p) }

// Damaged reports that err is about the sealed bytes themselves: altered, moved, or sealed for something else. Trying again
// cannot help, while any other error of Open may pass.
func Damaged(err error) bool { return errors.Is(err, errNotOpened) }

// version reads the tenant key version of a sealed value, after checking that it is one for purpose p.
func version(sealed []byte, p connection.Purpose) (uint32, error) {
	want, err := purposeByte(p)
	if err != nil || len(sealed) < overhead || string(sealed[:3]) != magic || sealed[3] != want {
		return 0, errNotOpened
	}
	return binary.BigEndian.Uint32(sealed[4:]), nil
}

func open(tenantKey []byte, environment string, b connection.Binding, sealed []byte) ([]byte, error) {
	if _, err := version(sealed, b.Purpose); err != nil {
		return nil, err
	}
	aad := additional(environment, b)
	aead, commitment, err := recordKey(tenantKey, sealed[saltAt:commitmentAt], aad)
	if err != nil {
		return nil, errNotOpened
	}
	if subtle.ConstantTimeCompare(commitment, sealed[commitmentAt:nonceAt]) != 1 {
		return nil, errNotOpened
	}
	full := append(append(make([]byte, 0, nonceAt+len(aad)), sealed[:nonceAt]...), aad...)
	out, err := aead.Open(nil, sealed[nonceAt:ciphertextAt], sealed[ciphertextAt:], full)
	if err != nil {
		return nil, errNotOpened
	}
	return out, nil
}
