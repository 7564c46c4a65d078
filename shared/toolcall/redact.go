package toolcall

import (
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret"
)

// redact removes the injected token from a whole body; scanner says how. Of a user and password, the password goes by
// itself too.
func redact(body []byte, token secret.Text, auth catalog.AuthHeader) []byte {
	return newScanner(token, auth).whole(body)
}
