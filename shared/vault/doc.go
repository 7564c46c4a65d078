// Package vault seals credentials and opens them again, only for whom they were sealed.
//
// Three layers of keys: the KMS key wraps tenant keys, one per purpose and version, under an encryption context that
// names app, environment, tenant, purpose and version; a tenant key and a random salt give each record its own key
// (HKDF-SHA256); the record key encrypts with AES-256-GCM. Purposes are split (at, rt, cs, wh), so that whoever may unwrap
// access tokens still cannot unwrap a refresh token. IAM decides the first layer from the encryption context; the
// additional data of the last one binds environment, tenant, principal, connection, purpose and generation, so a
// ciphertext that was moved, swapped or rolled back does not open.
//
// Standard library only. The byte layout is in envelope.go, test vectors are in testdata.
package vault
