package events_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/events"
)

func examples() map[events.Type]any {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	head := events.Head{ID: "evt_01j9z3k4m5n6p7q8r9s0t1v2w3", Version: events.Version, Tenant: "acme", Time: at}
	c := events.Connection{Head: head, Principal: "user_alice", Connector: "github", Connection: "conn_01j9z3k4m5n6p7q8r9s0t1v2w3", Status: "active", Grant: "grant_01j9z3k4m5n6p7q8r9s0t1v2w3"}
	with := func(change func(*events.Connection)) events.Connection {
		x := c
		change(&x)
		return x
	}
	because := func(status, reason string) events.Connection {
		return with(func(x *events.Connection) { x.Status, x.Reason = status, reason })
	}
	link := events.Link{Head: head, Principal: "user_alice", Connector: "github", Connection: c.Connection}
	linkFor := func(reason string) events.Link { l := link; l.Reason = reason; return l }
	approval := events.Approval{Head: head, Principal: "user_alice", Approval: "apr_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", RequestedAt: at, Status: "pending",
		Connector: "github", Connection: c.Connection, Tool: "github_create_issue", Effect: "write", Agent: "triage-bot", Run: "run-42", Rule: "four-eyes"}
	decided := approval
	decided.Status, decided.Approver = "approved", "carol"
	return map[events.Type]any{
		events.ConnectionConnected:       c,
		events.ConnectionRefreshed:       c,
		events.ConnectionScopesNarrowed:  because("active", "scopes_narrowed"),
		events.ConnectionReauthorization: because("reauthorization_required", "revoked_by_provider"),
		events.ConnectionPaused:          because("paused", ""),
		events.ConnectionResumed:         c,
		events.ConnectionRevoked: with(func(x *events.Connection) {
			x.Status, x.Reason, x.ProviderRevocation = "revoked", "deleted", "confirmed"
		}),
		events.ConnectionProviderRevocation: with(func(x *events.Connection) {
			x.Status, x.Reason, x.ProviderRevocation = "revoked", "deleted", "revoked"
		}),
		events.ConnectionRefreshDelayed: with(func(x *events.Connection) {
			x.Reason, x.Failures, x.RetryAt = "http_503", 3, at.Add(2*time.Minute)
		}),
		events.LinkOpened:        link,
		events.LinkConsentDenied: linkFor("consent_denied"),
		events.LinkUserMismatch:  linkFor("user_mismatch"),
		events.ApprovalRequested: approval,
		events.ApprovalDecided:   decided,
		events.WebhookDisabled:   events.Webhook{Head: head, Endpoint: "wh_01j9z3k4m5n6p7q8r9s0t1v2w3", Reason: "failing"},
		events.WebhookTest:       events.Webhook{Head: head, Endpoint: "wh_01j9z3k4m5n6p7q8r9s0t1v2w3"},
	}
}

// The files are what readers were promised. To add a field, add it to the example; to change or remove one, make a new Version.
func TestContract_EachType_LooksLikeItsGoldenFile(t *testing.T) {
	t.Parallel()
	all := examples()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(all) {
		t.Errorf("%d golden files for %d types, %v", len(files), len(all), err)
	}
	for kind, example := range all {
		got, err := json.MarshalIndent(example, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", string(kind)+".json")
		want, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v; it should hold:\n%s", err, got)
			continue
		}
		if string(got)+"\n" != string(want) {
			t.Errorf("%s: this is published:\n%s\nand this was promised:\n%s", kind, got, want)
		}
	}
}

// An old reader must find in a new event all that it knew.
func TestContract_GoldenFiles_AreReadBackWhole(t *testing.T) {
	t.Parallel()
	for kind, example := range examples() {
		b, err := os.ReadFile(filepath.Join("testdata", string(kind)+".json"))
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(example))
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.DisallowUnknownFields()
		if err := d.Decode(back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), example) {
			t.Errorf("%s: %+v, %v", kind, back.Elem().Interface(), err)
		}
	}
}

func TestPublished_ListsEveryTypeThatIsDeclared(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []events.Type
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := s.Type.(*ast.Ident); ok && typ.Name == "Type" {
			v, err := strconv.Unquote(s.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, events.Type(v))
		}
		return true
	})
	if want := append(events.Published(), events.WebhookTest); !slices.Equal(declared, want) {
		t.Errorf("declared %v, listed %v", declared, want)
	}
}
