package authn

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// maxEnded is how many ended sessions of one principal are kept by name. It bounds what every execution reads: 45 KB.
const maxEnded = 1000

// keepEnded outlives every session that was made before its end, by clocks that are minutes apart.
const keepEnded = MaxSessionTTL + 5*time.Minute

// Ended is which sessions of one principal were ended before their time. The zero value is none.
type Ended struct {
	// Sessions maps an ended session to when it may be forgotten, in Unix seconds.
	Sessions map[string]int64 `json:"sessions,omitempty"`
	// Through ends every session that was made at or before it, in Unix seconds; zero ends none.
	Through int64 `json:"through,omitempty"`
}

// Has reports whether s was ended, or one of those that it was narrowed from.
func (e Ended) Has(s Session) bool {
	if e.Through != 0 && s.Issued.Unix() <= e.Through {
		return true
	}
	return slices.ContainsFunc(append([]string{s.ID}, s.Parents...), func(id string) bool { _, ok := e.Sessions[id]; return ok })
}

// With adds a session and forgets those that have expired by now. When there are too many to name, all sessions made until
// now are ended: more than was asked, never less.
func (e Ended) With(session string, now time.Time) Ended {
	out := Ended{Sessions: maps.Clone(e.Sessions), Through: e.Through}
	maps.DeleteFunc(out.Sessions, func(_ string, until int64) bool { return until <= now.Unix() })
	if out.Sessions == nil {
		out.Sessions = map[string]int64{}
	}
	out.Sessions[session] = now.Add(keepEnded).Unix()
	if len(out.Sessions) > maxEnded {
		return Ended{Through: now.Unix()}
	}
	return out
}

const sessionIDLen, ownerCheckLen = 31, 8 // "sess_" and a ULID; 32 bits

// ownerCheck is no secret and no proof; it finds mistakes.
func ownerCheck(id string, s tenant.Scope) string {
	h := sha256.Sum256([]byte(id + "\x00" + string(s.Tenant) + "\x00" + string(s.Principal)))
	return hex.EncodeToString(h[:])[:ownerCheckLen]
}

// CheckSessionID tells whether id was made for s. It returns fault.NotFound otherwise.
func CheckSessionID(id string, s tenant.Scope) error {
	if len(id) != sessionIDLen+ownerCheckLen || id[sessionIDLen:] != ownerCheck(id[:sessionIDLen], s) {
		return fault.New(fault.NotFound, "this is no session of that tenant and principal; nothing was ended. The audit trail names all three").WithField("session")
	}
	return nil
}
