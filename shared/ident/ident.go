// Package ident makes identifiers: a prefix that says what is named, and 26 characters that sort by creation time; those
// of one Source sort in the order in which they were made, also within a millisecond, so that an outcome follows its intent.
//
// Clock and randomness are passed in, so that simulations and tests replay exactly.
package ident

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Source makes identifiers and one-time secrets. It is safe for concurrent use if its reader is.
type Source struct {
	now  func() time.Time
	rand io.Reader
	mono *ulid.LockedMonotonicReader
}

// NewSource returns a Source over a clock and a source of randomness; nil means the system's.
func NewSource(now func() time.Time, random io.Reader) Source {
	if now == nil {
		now = time.Now
	}
	if random == nil {
		random = rand.Reader
	}
	return Source{now, random, &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(random, 0)}}
}

// New returns prefix + "_" + a lower-case ULID: 48 bits of milliseconds, 80 random bits.
func (s Source) New(prefix string) string {
	id, err := ulid.New(ulid.Timestamp(s.now()), s.mono)
	if errors.Is(err, ulid.ErrMonotonicOverflow) { // one in 2^32 milliseconds: start over with fresh randomness
		id, err = ulid.New(ulid.Timestamp(s.now()), s.rand)
	}
	if err != nil { // the system's randomness never fails (crypto/rand.Read documents it); a test reader may
		panic(fmt.Sprintf("ident: no randomness: %v", err))
	}
	return prefix + "_" + strings.ToLower(id.String())
}

// TimeOf reads the moment, to the millisecond, at which an identifier of New with that prefix was made; false when id is none.
func TimeOf(prefix, id string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(id, prefix+"_")
	if !ok || rest != strings.ToLower(rest) {
		return time.Time{}, false
	}
	u, err := ulid.ParseStrict(strings.ToUpper(rest))
	if err != nil {
		return time.Time{}, false
	}
	return ulid.Time(u.Time()).UTC(), true
}

// Floor sorts before every identifier with that prefix that is made at at or later, and after all earlier ones.
func Floor(prefix string, at time.Time) string {
	var u ulid.ULID
	_ = u.SetTime(ulid.Timestamp(at)) // fails in the year 10889
	return prefix + "_" + strings.ToLower(u.String())
}

var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Secret returns 32 random bytes as 52 lower-case characters: unguessable, safe in URLs, without separators.
func (s Source) Secret() string {
	var b [32]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		panic(fmt.Sprintf("ident: no randomness: %v", err))
	}
	return alphabet.EncodeToString(b[:])
}
