package toolcall

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func executor() *Executor { return New(Deps{Now: func() time.Time { return noon }}) }

// calling is a call of a tool by alice.
func calling(t *testing.T, tool, connection string) *run {
	t.Helper()
	cat, err := connectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	spec, tl, err := cat.Tool(tool)
	if err != nil {
		t.Fatal(err)
	}
	return &run{session: authn.Session{Scope: tenant.Scope{Tenant: "acme", Principal: "user_alice"}}, call: Call{Tool: tool, Connection: connection}, spec: spec, op: &operation{name: tl.Name, effect: tl.Effect, missing: tl.MissingScopes}}
}

func id(n int) connection.ID { return connection.ID(fmt.Sprintf("conn_%026d", n)) }

func held(n int, s connection.Status) Held {
	h := Held{Connection: connection.Connection{Ref: connection.Ref{ID: id(n)}, Status: s}}
	if s == connection.Pending {
		h.PendingUntil = noon.Add(time.Minute)
	}
	return h
}

func TestChoose_Table(t *testing.T) {
	t.Parallel()
	const a, p, r, x, w = connection.Active, connection.Paused, connection.ReauthorizationRequired, connection.Revoked, connection.Pending
	for name, c := range map[string]struct {
		have  []connection.Status
		named int // 1-based; 0 names none, -1 one that is not there
		want  int // 1-based
		code  fault.Code
	}{
		"one":                            {[]connection.Status{a}, 0, 1, ""},
		"none":                           {nil, 0, 0, fault.ConnectionRequired},
		"only pending":                   {[]connection.Status{w}, 0, 0, fault.ConnectionRequired},
		"only revoked":                   {[]connection.Status{x}, 0, 0, fault.Revoked},
		"revoked and pending":            {[]connection.Status{x, w}, 0, 0, fault.Revoked},
		"revoked and active":             {[]connection.Status{x, a}, 0, 2, ""},
		"paused":                         {[]connection.Status{p}, 0, 0, fault.Conflict},
		"dead":                           {[]connection.Status{r}, 0, 0, fault.ReauthorizationRequired},
		"dead and active":                {[]connection.Status{r, a}, 0, 2, ""},
		"paused and active":              {[]connection.Status{p, a}, 0, 2, ""},
		"two active":                     {[]connection.Status{a, a}, 0, 0, fault.InvalidInput},
		"two dead":                       {[]connection.Status{r, r}, 0, 0, fault.InvalidInput},
		"two active, one named":          {[]connection.Status{a, a}, 2, 2, ""},
		"named and revoked":              {[]connection.Status{a, x}, 2, 0, fault.Revoked},
		"named and paused":               {[]connection.Status{a, p}, 2, 0, fault.Conflict},
		"named and dead":                 {[]connection.Status{a, r}, 2, 0, fault.ReauthorizationRequired},
		"named and pending":              {[]connection.Status{a, w}, 2, 0, fault.ConnectionRequired},
		"named and not there":            {[]connection.Status{a}, -1, 0, fault.NotFound},
		"named, not there, nothing else": {nil, -1, 0, fault.NotFound},
	} {
		named := ""
		switch {
		case c.named > 0:
			named = string(id(c.named))
		case c.named < 0:
			named = string(id(99))
		}
		var all []Held
		for i, s := range c.have {
			all = append(all, held(i+1, s))
		}
		got, err := executor().choose(calling(t, "github_get_authenticated_user", named), all)
		if c.code == "" && (err != nil || got.ID != id(c.want)) || c.code != "" && !fault.Is(err, c.code) {
			t.Errorf("%s: %s %v, want %d %s", name, got.ID, err, c.want, c.code)
		}
	}
}

func TestChoose_DeadConnection_NamesItInTheWayBack(t *testing.T) {
	t.Parallel()
	h := held(1, connection.ReauthorizationRequired)
	h.Scopes, h.Reason = []string{"repo"}, "revoked_by_provider"
	_, err := executor().choose(calling(t, "github_get_authenticated_user", ""), []Held{h})
	connect, _ := fault.From(err).Detail["connect"].(map[string]any)
	body, _ := connect["body"].(map[string]any)
	if body["connection"] != string(id(1)) || body["principal"] != "user_alice" || fmt.Sprint(body["scopes"]) != "[repo]" {
		t.Errorf("%v", connect)
	}
}

func TestUnanswered_Table(t *testing.T) {
	t.Parallel()
	lost := fault.New(fault.ProviderError, "the provider gave no answer").With("reason", "no_answer")
	for _, c := range []struct {
		tool string
		err  error
		want fault.Code
	}{
		{"github_list_issues", lost, fault.ProviderError}, {"github_create_issue", lost, fault.OutcomeUnknown}, {"slack_delete_message", lost, fault.OutcomeUnknown}, {"github_close_issue", lost, fault.OutcomeUnknown},
		{"github_create_issue", fmt.Errorf("%w: %w", egress.ErrNotSent, lost), fault.ProviderError}, {"github_create_issue", errors.New("anything"), fault.OutcomeUnknown},
	} {
		if err := executor().unanswered(calling(t, c.tool, ""), c.err); !fault.Is(err, c.want) {
			t.Errorf("%s, %v: %v, want %s", c.tool, c.err, err, c.want)
		}
	}
}

func TestProviderFault_DeadAndExpired_AskForThePerson(t *testing.T) {
	t.Parallel()
	for _, kind := range []catalog.OutcomeKind{catalog.OutcomeDead, catalog.OutcomeExpired} {
		r := calling(t, "github_list_issues", "")
		r.held = held(1, connection.Active)
		err := executor().providerFault(r, egress.Response{Status: http.StatusUnauthorized, Body: []byte(`{"message":"Bad credentials"}`)}, catalog.Outcome{Kind: kind, Reason: "bad_credentials"})
		if !fault.Is(err, fault.ReauthorizationRequired) || fault.From(err).Detail["provider_status"] != 401 {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestBounded_CutsAndDecodes(t *testing.T) {
	t.Parallel()
	if _, ok := bounded([]byte(`{"a":1}`)).(map[string]any); !ok {
		t.Error("JSON was not decoded")
	}
	if s, ok := bounded(make([]byte, maxProviderBody+1)).(string); !ok || len(s) > maxProviderBody+20 {
		t.Error("not cut")
	}
}
