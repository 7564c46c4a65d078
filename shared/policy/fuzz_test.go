package policy_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/policy"
)

// guarded lets a call pass only with the arguments that it names. Cedar cannot be told to be wrong about them: what it sees must be
// what the provider gets.
const guarded = `permit (principal, action, resource);
forbid (principal, action, resource) unless { context.input.owner == "acme" };
forbid (principal, action, resource) unless { context.input has n && context.input.n <= 10 };
forbid (principal, action, resource) unless { context.input has list && context.input.list.containsAll(["a"]) && ["a", "b"].containsAll(context.input.list) };
forbid (principal, action, resource) unless { context.input has deep && context.input.deep has x && context.input.deep.x == 1 };
`

// FuzzDecide: a call that Cedar lets pass has the arguments that the policy asks for, exactly, as JSON means them.
func FuzzDecide(f *testing.F) {
	p, err := policy.Compile(policy.Document{Cedar: guarded})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{`{"owner":"acme","n":3,"list":["a","b"],"deep":{"x":1}}`, `{"owner":"acme","n":10.0,"list":["a"],"deep":{"x":1.0}}`, `{"owner":"acme","n":1e1,"list":["a",null,"a"],"deep":{"x":1,"y":null}}`,
		`{"owner":"acme","n":10.0000000000000001,"list":["a"],"deep":{"x":1}}`, `{"owner":"acme","n":3,"list":["a"],"deep":{"x":1.00000000000000000001}}`, `{"owner":"acme","n":-0,"list":["a"],"deep":{"x":1}}`, `{"owner":"acme","n":9007199254740993,"list":["a"],"deep":{"x":1}}`,
		`{"owner":"acme","n":1e400,"list":["a"],"deep":{"x":1}}`, `{"owner":"acme","n":-1e400,"list":["a"],"deep":{"x":1}}`, `{"owner":"acme","n":18446744073709551617,"list":["a"],"deep":{"x":1}}`, `{"owner":"acme","n":0.00001,"list":["a"],"deep":{"x":1}}`,
		`{"owner":"acme\u0000","n":3,"list":["a"],"deep":{"x":1}}`, `{"owner":{"a":1},"n":3}`, `{"owner":["acme"],"n":"3"}`, `{"Owner":"acme"}`, `{"owner":"acme","n":true,"list":"a","deep":[1]}`, `{"__entity":{"type":"Behalf::User","id":"x"},"owner":"acme"}`, `{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		var in map[string]any
		if d.Decode(&in) != nil {
			return
		}
		if p.Decide(policy.Call{Principal: "u", Agent: "a", Connector: "github", Tool: "github_x", Effect: "write", Connection: "c", Input: in}).Denied != nil {
			return
		}
		if in["owner"] != "acme" {
			t.Fatalf("owner %v passes", in["owner"])
		}
		if n := exact(t, in["n"]); n == nil || n.Cmp(big.NewRat(10, 1)) > 0 {
			t.Fatalf("n %v passes", in["n"])
		}
		list, _ := in["list"].([]any)
		seen := false
		for _, v := range list {
			if seen = seen || v == "a"; v != "a" && v != "b" && v != nil {
				t.Fatalf("list %v passes", list)
			}
		}
		deep, _ := in["deep"].(map[string]any)
		if x := exact(t, deep["x"]); !seen || x == nil || x.Cmp(big.NewRat(1, 1)) != 0 {
			t.Fatalf("list %v and deep %v pass", list, deep)
		}
	})
}

// exact is a JSON number as it is meant; nil for what is none. Exponents that Cedar's types do not hold never get here.
func exact(t *testing.T, v any) *big.Rat {
	t.Helper()
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		t.Fatalf("%s passes and is no number", n)
	}
	return r
}

// Fractions are compared as they were written: 0.29 is no 0.2899, which it becomes on the way through a float.
func TestDecide_Fractions_AreExact(t *testing.T) {
	t.Parallel()
	p, err := policy.Compile(policy.Document{Cedar: `permit (principal, action, resource) when { context.input.x == decimal("0.29") };`})
	if err != nil {
		t.Fatal(err)
	}
	for text, pass := range map[string]bool{"0.29": true, "0.2900": true, "2.9e-1": true, "0.29001": false, "0.28": false, "0.2900000000000000001": false, "1e99": false, "29": false} {
		d := p.Decide(policy.Call{Principal: "u", Tool: "github_x", Effect: "read", Connection: "c", Input: map[string]any{"x": json.Number(text)}})
		if (d.Denied == nil) != pass {
			t.Errorf("%s: %v", text, d.Denied)
		}
	}
}
