package ident_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/ident"
)

func TestSource_New_SortsByTimeAndIsUnique(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	s := ident.NewSource(func() time.Time { return now }, nil)
	a := s.New("conn")
	b := s.New("conn")
	for range 1000 { // also within one millisecond
		next := s.New("conn")
		if next <= b {
			t.Fatalf("%s after %s", next, b)
		}
		b = next
	}
	now = now.Add(time.Millisecond)
	c := s.New("conn")
	if a == b || c <= a || c <= b {
		t.Errorf("%s %s %s", a, b, c)
	}
	if !regexp.MustCompile(`^conn_[0-9a-hjkmnp-tv-z]{26}$`).MatchString(a) {
		t.Errorf("%q", a)
	}
}

func TestSource_Secret_Has256Bits(t *testing.T) {
	t.Parallel()
	s := ident.NewSource(nil, strings.NewReader(strings.Repeat("\xff", 32)))
	if got := s.Secret(); len(got) != 52 || strings.ContainsAny(got, "_-.=") {
		t.Errorf("%q", got)
	}
}
