package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"behalf.dev/behalf/shared/tenant"
)

// Segment is one link of a tenant's chain: the records it seals, by hash, and the hash of the segment before.
type Segment struct {
	// Seq counts from 1 without gaps.
	Seq uint64 `json:"seq"`
	// Prev is the Hash of segment Seq-1, empty for the first.
	Prev string `json:"prev"`
	// Records are sorted by id. A record may be sealed twice (streams deliver at least once), never zero times.
	Records []Sealed  `json:"records"`
	Time    time.Time `json:"time"`
	// Hash is SHA-256 over all of the above, hex.
	Hash string `json:"hash"`
}

// SegmentKey is where a segment's copy lies in the audit bucket. Numbers are padded, so that a listing is in order.
func SegmentKey(t tenant.ID, seq uint64) string { return fmt.Sprintf("segments/%s/%012d.json", t, seq) }

// Sealed names a record and the SHA-256 of its canonical form, hex.
type Sealed struct {
	ID   string `json:"id"`
	Hash string `json:"hash"`
}

// HashRecord is the SHA-256 of r's canonical JSON: struct order, UTC time with nanoseconds.
func HashRecord(r Record) string {
	r.Time = r.Time.UTC()
	b, err := json.Marshal(r)
	if err != nil { // a Record holds strings, numbers and a time within range: JSON always carries it
		panic(fmt.Sprintf("audit: record cannot be encoded: %v", err))
	}
	return hexSum(b)
}

// NextSegment seals records after the segment prev (nil for the first one).
func NextSegment(prev *Segment, records []Record, now time.Time) Segment {
	s := Segment{Seq: 1, Time: now.UTC()}
	if prev != nil {
		s.Seq, s.Prev = prev.Seq+1, prev.Hash
	}
	seen := map[string]bool{}
	for _, r := range records {
		if !seen[r.ID] {
			seen[r.ID] = true
			s.Records = append(s.Records, Sealed{r.ID, HashRecord(r)})
		}
	}
	slices.SortFunc(s.Records, func(a, b Sealed) int { return compare(a.ID, b.ID) })
	s.Hash = s.sum()
	return s
}

// Seals tells that the segment holds all of records as they are: a batch that is delivered again need not be sealed again.
func (s Segment) Seals(records []Record) bool {
	have := make(map[Sealed]bool, len(s.Records))
	for _, r := range s.Records {
		have[r] = true
	}
	for _, r := range records {
		if !have[Sealed{r.ID, HashRecord(r)}] {
			return false
		}
	}
	return len(records) > 0
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s Segment) sum() string {
	s.Hash = ""
	s.Time = s.Time.UTC()
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("audit: segment cannot be encoded: %v", err))
	}
	return hexSum(b)
}

func hexSum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
