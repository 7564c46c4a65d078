// Package webhook signs webhooks and verifies them, as the Standard Webhooks specification (version 1) has it: HMAC-SHA256 over
// "id.timestamp.body", in the header webhook-signature as "v1,<base64>".
//
// It is its own package, on the standard library alone, so that a receiver written in Go can import it:
//
//	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
//	…
//	if err := webhook.Verify(r.Header, body, time.Now(), secret); err != nil {
//		http.Error(w, "not signed", http.StatusUnauthorized)
//		return
//	}
//
// A verified webhook may still come twice, and may come late: remember the webhook-id of what was worked off.
package webhook
