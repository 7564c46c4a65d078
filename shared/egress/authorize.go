package egress

import (
	"net/http"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// Authorize has put write a credential into a request, a header or the query. It is the last step before Do, so that
// nothing in between can see or log the credential.
func Authorize(r *http.Request, put func(r *http.Request, token []byte), token secret.Text) {
	put(r, token.Reveal(reveal.Key{}))
}
