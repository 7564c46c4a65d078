package ddb

import (
	"math/big"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"
)

func TestCanonicalNumber_Spellings_BecomeOne(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "007": "7", "1.50": "1.5", "1e3": "1000", "1E-3": "0.001", "-2.500e1": "-25", "+5": "5", ".5": "0.5", "100": "100",
		"12345678901234567890123456789012345678": "12345678901234567890123456789012345678", "9e125": "9" + strings.Repeat("0", 125),
	} {
		if got, err := canonicalNumber(in); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "x", "1e", "--1", "1.2.3", "1e126", "1e-131", strings.Repeat("1", 39), "0x10", "Inf"} {
		if got, err := canonicalNumber(bad); err == nil {
			t.Errorf("%q was accepted as %s", bad, got)
		}
	}
}

func TestOrderedNumber_RandomNumbers_SortLikeNumbers(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 2000 {
		s, err := canonicalNumber(strconv.FormatFloat((r.Float64()-0.5)*1e6, 'f', r.IntN(6), 64) + "e" + strconv.Itoa(r.IntN(20)-10))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, s)
	}
	sort.Slice(texts, func(i, j int) bool { return orderedNumber(texts[i]) < orderedNumber(texts[j]) })
	rat := func(s string) *big.Rat { x, _ := new(big.Rat).SetString(s); return x }
	for i := 1; i < len(texts); i++ {
		if rat(texts[i-1]).Cmp(rat(texts[i])) > 0 {
			t.Fatalf("%s sorts before %s", texts[i-1], texts[i])
		}
	}
}

func TestAddNumbers_AgreesWithRationals(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{{"1", "2", "3"}, {"0.1", "0.2", "0.3"}, {"-5", "5", "0"}, {"1000", "0.001", "1000.001"}, {"99999999999999999999", "1", "100000000000000000000"}} {
		if got, err := addNumbers(c[0], c[1], false); err != nil || got != c[2] {
			t.Errorf("%s + %s = %s, %v", c[0], c[1], got, err)
		}
		if got, err := addNumbers(c[2], c[1], true); err != nil || got != c[0] {
			t.Errorf("%s - %s = %s, %v", c[2], c[1], got, err)
		}
	}
	if _, err := addNumbers("1e37", "0.1", false); err == nil {
		t.Error("a sum of 39 digits was accepted")
	}
}

// The decoder reads what a network sends: it must never panic.
func FuzzParse_ArbitraryBody_NeverPanics(f *testing.F) {
	for _, s := range []string{`{"TableName":"t","Key":{"a":{"S":"\u00fc\\"}}}`, `{"TransactItems":[{"Put":{"Item":{"a":{"L":[{"N":"1"}]}}}}]}`, `{"RequestItems":{"t":{"Keys":[{}]}}}`, `{"Key":`, `[`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, op := range []string{"GetItem", "TransactWriteItems", "BatchGetItem", "BatchWriteItem", "CreateTable"} {
			_, _ = Parse(op, []byte(body))
		}
		_, _ = compileCondition("ConditionExpression", body)
		_, _ = compileUpdate(body)
		_, _ = compileProjection(body)
	})
}
