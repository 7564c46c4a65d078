package eventbridge

import (
	"encoding/json"
	"testing"
)

func TestPattern_Matchers_FollowEventBridge(t *testing.T) {
	t.Parallel()
	const event = `{"source":"behalf","detail":{"status":"revoked","n":5,"tags":["a","b"],"inner":{"x":null}}}`
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{`{"source":["behalf","other"]}`, true},
		{`{"source":["other"]}`, false},
		{`{"detail":{"status":[{"prefix":"rev"}]}}`, true},
		{`{"detail":{"status":[{"suffix":"ed"}],"n":[5]}}`, true},
		{`{"detail":{"n":["5"]}}`, false},
		{`{"detail":{"n":[{"numeric":[">",4,"<=",5]}]}}`, true},
		{`{"detail":{"n":[{"numeric":["<",5]}]}}`, false},
		{`{"detail":{"status":[{"anything-but":["active","paused"]}]}}`, true},
		{`{"detail":{"status":[{"anything-but":"revoked"}]}}`, false},
		{`{"detail":{"missing":[{"anything-but":"x"}]}}`, false},
		{`{"detail":{"missing":[{"exists":false}]}}`, true},
		{`{"detail":{"status":[{"exists":false}]}}`, false},
		{`{"detail":{"tags":["b"]}}`, true},
		{`{"detail":{"tags":["c"]}}`, false},
		{`{"detail":{"inner":{"x":[null]}}}`, true},
		{`{"detail":{"status":[{"wildcard":"r*k*d"}]}}`, true},
		{`{"detail":{"status":[{"equals-ignore-case":"REVOKED"}]}}`, true},
		{`{"$or":[{"source":["x"]},{"detail":{"n":[5]}}]}`, true},
		{`{"$or":[{"source":["x"]},{"detail":{"n":[6]}}]}`, false},
	} {
		p, err := ParsePattern([]byte(c.pattern))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		var ev map[string]any
		if err := json.Unmarshal([]byte(event), &ev); err != nil {
			t.Fatal(err)
		}
		if got := p.Match(ev); got != c.want {
			t.Errorf("%s: matched %v", c.pattern, got)
		}
	}
	if _, err := ParsePattern([]byte(`{"source":[{"cidr":"10.0.0.0/8"}]}`)); err == nil {
		t.Error("an unsupported matcher was accepted")
	}
}
