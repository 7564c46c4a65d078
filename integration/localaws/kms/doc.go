// Package kms is a small Key Management Service: symmetric keys that bind the encryption
// context as additional data, and P-256 signing keys. Key policies are kept here and
// evaluated by the front handler together with the caller's identity policies.
//
// A ciphertext is: version (1 byte), key id (16), nonce (12), AES-256-GCM output. The key
// material never leaves the package except to the journal of the local stack.
package kms
