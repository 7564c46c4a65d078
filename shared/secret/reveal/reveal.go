// Package reveal holds the key that opens a secret.Text.
//
// It exists so that "who can read a credential" is the same question as "who imports this package": the layout test
// lists the importers and fails on any other.
package reveal

// Key is proof that the caller was meant to see secret bytes. Its zero value is ready to use.
type Key struct{}
