package audit

import "strings"

// Channel is the way by which an agent called.
type Channel string

// The channels. An execution recorded before there was this field has none.
const (
	OverHTTP  Channel = "http"
	OverBatch Channel = "batch"
	OverProxy Channel = "proxy"
	OverMCP   Channel = "mcp"
)

// maxClient bounds Record.Client, in bytes.
const maxClient = 80

// ClientName makes a Record.Client of what a caller's software calls itself: printable ASCII, at most 80 bytes. It is the
// caller's own word and may be anything; it ends on terminals and in spreadsheets, so control characters, other alphabets that
// look like ours and what begins a formula are not kept.
func ClientName(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r > '~' {
			r = ' '
		}
		if r == ' ' && (b.Len() == 0 || strings.HasSuffix(b.String(), " ")) {
			continue
		}
		if b.WriteRune(r); b.Len() == maxClient {
			break
		}
	}
	return strings.TrimSpace(strings.TrimLeft(b.String(), "=+-@ "))
}
