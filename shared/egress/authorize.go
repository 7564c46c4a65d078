package egress

import (
	"net/http"
	"strings"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// Authorize puts a credential into a request header; format holds "{token}" ("Bearer {token}"). It is the last step
// before Do, so that nothing in between can see or log the credential.
func Authorize(r *http.Request, header, format string, token secret.Text) {
	r.Header.Set(header, strings.ReplaceAll(format, "{token}", string(token.Reveal(reveal.Key{}))))
}
