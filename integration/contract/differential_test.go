package contract

import (
	"bytes"
	"encoding/json"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/contract/dynamolocal"
	"behalf.dev/behalf/integration/localaws"
)

// differentialOperations is how many random operations are compared.
const differentialOperations = 12_000

// differ is one of the two DynamoDBs.
type differ struct {
	client   *http.Client
	endpoint string
	key      string
}

type answer struct {
	status int
	body   map[string]any
}

func (d differ) send(t *testing.T, op string, req any) answer {
	t.Helper()
	b, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.endpoint, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	r.Header.Set("X-Amz-Date", "20260101T000000Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+d.key+"/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode}
	if err := json.Unmarshal(raw, &a.body); err != nil {
		t.Fatalf("answer of %s is not JSON: %s", op, raw)
	}
	return a
}

func TestDifferential_RandomOperations_AnswersAgreeWithDynamoDBLocal(t *testing.T) {
	local := differ{client: http.DefaultClient, endpoint: dynamolocal.Endpoint(t), key: "local"}
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, _ := a.OperatorCredentials()
	embedded := differ{client: a.HTTPClient(), endpoint: "http://localaws.internal", key: key}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("BEHALF_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (repeat with BEHALF_SEED=%d)", seed, seed)
	for _, d := range []differ{local, embedded} {
		if got := d.send(t, "CreateTable", diffSchema()); got.status != 200 {
			t.Fatalf("create table at %s: %v", d.endpoint, got)
		}
	}
	g := &generator{r: rand.New(rand.NewPCG(seed, 1))}
	codes, diffs := map[string]int{}, 0
	for i := range differentialOperations {
		op, req := g.next()
		want, got := local.send(t, op, req), embedded.send(t, op, req)
		codes[op+" "+want.code()]++
		if kind := compare(op, req, want, got); kind == differs {
			b, _ := json.Marshal(req)
			t.Errorf("operation %d %s %s\n DynamoDB Local: %d %v\n embedded:       %d %v", i, op, b, want.status, want.body, got.status, got.body)
			if diffs++; diffs >= 20 {
				t.Fatal("too many differences")
			}
		}
	}
	for c, n := range codes {
		t.Logf("%6d %s", n, c)
	}
}

func diffSchema() object {
	attr := func(n, k string) object { return object{"AttributeName": n, "AttributeType": k} }
	key := func(h, r string) []object {
		out := []object{{"AttributeName": h, "KeyType": "HASH"}}
		if r != "" {
			out = append(out, object{"AttributeName": r, "KeyType": "RANGE"})
		}
		return out
	}
	return object{"TableName": diffTable, "BillingMode": "PAY_PER_REQUEST", "KeySchema": key("pk", "sk"),
		"AttributeDefinitions": []object{attr("pk", "S"), attr("sk", "S"), attr("gpk", "S"), attr("gsk", "N")},
		"GlobalSecondaryIndexes": []object{
			{"IndexName": "byNumber", "KeySchema": key("gpk", "gsk"), "Projection": object{"ProjectionType": "ALL"}},
			{"IndexName": "keysOnly", "KeySchema": key("gpk", ""), "Projection": object{"ProjectionType": "KEYS_ONLY"}},
		}}
}

func (a answer) code() string {
	t, _ := a.body["__type"].(string)
	return t[strings.LastIndexByte(t, '#')+1:]
}

func (a answer) message() string {
	for _, k := range []string{"message", "Message"} {
		if m, ok := a.body[k].(string); ok {
			return m
		}
	}
	return ""
}

type verdict int

const (
	agrees verdict = iota
	known
	differs
)

func compare(op string, req object, want, got answer) verdict {
	if compareExact(op, req, want, got) {
		return agrees
	}
	if knownDifference(op, req, want, got) {
		return known
	}
	return differs
}

func compareExact(op string, req object, want, got answer) bool {
	return want.status == got.status && reflect.DeepEqual(normal(op, req, want), normal(op, req, got))
}

// normal drops what may differ (texts, order of sets, order of index entries with equal keys).
func normal(op string, req object, a answer) any {
	out := map[string]any{"code": a.code()}
	for k, v := range a.body {
		switch k {
		case "__type", "message", "Message", "ConsumedCapacity":
		case "Items":
			if op == "Scan" || req["IndexName"] != nil {
				out[k] = sorted(canonical(v))
				continue
			}
			out[k] = canonical(v)
		case "Responses":
			out[k] = canonical(v)
			if m, ok := out[k].(map[string]any); ok {
				for t, l := range m {
					m[t] = sorted(l)
				}
			}
		default:
			out[k] = canonical(v)
		}
	}
	return out
}

// canonical sorts the members of sets and drops messages of cancellation reasons.
func canonical(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			switch k {
			case "N":
				if text, ok := x.(string); ok {
					out[k] = number(text)
					continue
				}
			case "SS", "NS", "BS":
				if l, ok := x.([]any); ok {
					for i, m := range l {
						if text, isText := m.(string); isText && k == "NS" {
							l[i] = number(text)
						}
					}
					out[k] = sorted(l)
					continue
				}
			case "Message":
				if _, reason := v["Code"]; reason {
					continue
				}
			}
			out[k] = canonical(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = canonical(x)
		}
		return out
	}
	return v
}

// number gives equal numbers one spelling: DynamoDB Local keeps the spelling of the request in
// documents and expression values ("007"), DynamoDB itself does not.
func number(text string) string {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return text
	}
	return r.RatString()
}

func sorted(v any) any {
	l, ok := v.([]any)
	if !ok {
		return v
	}
	out := append([]any(nil), l...)
	sort.Slice(out, func(i, j int) bool {
		a, _ := json.Marshal(out[i])
		b, _ := json.Marshal(out[j])
		return bytes.Compare(a, b) < 0
	})
	return out
}
