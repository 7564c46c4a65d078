package audit_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
)

func TestClientName_WhateverTheCallerSays_PlainAndShort(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"claude-code/2.1.0":               "claude-code/2.1.0",
		"":                                "",
		"\x1b[31mred\x1b[0m\r\nX-Evil: 1": "[31mred [0m X-Evil: 1",
		"сlaude":                          "laude", // the first letter is Cyrillic
		"=HYPERLINK(\"x\")":               "HYPERLINK(\"x\")",
		" + -@x":                          "x",
		strings.Repeat("a", 500):          strings.Repeat("a", 80),
		strings.Repeat("é", 500):          "",
	} {
		if got := audit.ClientName(in); got != want {
			t.Errorf("%.40q: %q, want %q", in, got, want)
		}
	}
}

// The text is a row as it was written before there was a format, and must never be touched: its hash is in somebody's chain.
const beforeFormats = `{"id":"aud_01kar0d5g8a2b4c6d8e1f3g5h7","kind":"execution.outcome","time":"2026-11-22T12:03:04.5Z","tenant":"acme","principal":"user_alice","connector":"github","connection_id":"conn_01kaqz3v9x7m2c4d5e6f8g9hjk","grant_id":"grant_01kaqz4a0c2e5g7j9m1p3r5t7w","scopes":["read:user","repo"],"generation":1,"session_id":"sess_01","parent_session_ids":["sess_00"],"agent":"triage-bot","run_id":"run-42","execution_id":"exec_01","tool":"github_create_issue","effect":"write","input_sha256":"9f86","outcome":"succeeded","provider_status":201,"duration_ms":312,"attempts":2,"method":"GET","path":"/x","rule":"r","approval_id":"apr_1","approved_by":"carol","by":"key_1","verified_by":"oidc","issuer":"https://idp.example","request_id":"req"}`

func TestHashRecord_RowsOfEveryFormat_KeepTheirHash(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]string{
		"before formats": beforeFormats,
		"format 1":       strings.TrimSuffix(beforeFormats, "}") + `,"channel":"mcp","mcp_view":"support","client":"claude-code/2.1.0","approval_requested_at":"2026-11-22T12:00:00Z","format":1}`,
	} {
		var r audit.Record
		d := json.NewDecoder(strings.NewReader(row))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(row))
		if got := audit.HashRecord(r); got != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: the hash has changed", name)
		}
	}
}

func TestVerify_RecordOfANewerFormat_IsNotCalledTampered(t *testing.T) {
	t.Parallel()
	r := audit.Record{ID: "aud_1", Kind: audit.ExecutionIntent, Time: t0, Tenant: "acme"}.Stamp()
	s := audit.NextSegment(nil, []audit.Record{r}, t0)
	if rep := audit.Verify([]audit.Record{r}, []audit.Segment{s}, t0, time.Minute); !rep.OK() {
		t.Fatalf("%v", rep.Problems)
	}
	r.Format++ // and a field that this program drops
	rep := audit.Verify([]audit.Record{r}, []audit.Segment{s}, t0, time.Minute)
	if len(rep.Problems) != 1 || !strings.Contains(rep.Problems[0], "newer than this program") || strings.Contains(rep.Problems[0], "changed") {
		t.Errorf("%v", rep.Problems)
	}
}
