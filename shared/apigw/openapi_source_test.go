package apigw_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"behalf.dev/behalf/events"
)

// The handlers' bodies are unexported, so their source is read: a field, a query parameter or an answer's member that is
// added there and not described here fails a test.

// source is the Go code of some directories, tests left out.
type source struct {
	structs map[string]*ast.StructType // by "dir.Name"
	funcs   map[string]*ast.FuncDecl   // by "dir.name"
	files   []*ast.File
}

func read(t *testing.T, patterns ...string) source {
	t.Helper()
	s := source{map[string]*ast.StructType{}, map[string]*ast.FuncDecl{}, nil}
	set := token.NewFileSet()
	for _, p := range patterns {
		paths, err := filepath.Glob(filepath.Join("..", "..", p, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no source in %s: %v", p, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			s.add(filepath.Base(filepath.Dir(path)), f)
		}
	}
	return s
}

func (s *source) add(dir string, f *ast.File) {
	s.files = append(s.files, f)
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			s.funcs[dir+"."+d.Name.Name] = d
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if ts, ok := spec.(*ast.TypeSpec); ok {
					if st, ok := ts.Type.(*ast.StructType); ok {
						s.structs[dir+"."+ts.Name.Name] = st
					}
				}
			}
		}
	}
}

// members are the JSON names of a struct, those of embedded structs included.
func (s source) members(t *testing.T, name string) []string {
	t.Helper()
	st, ok := s.structs[name]
	if !ok {
		t.Fatalf("there is no struct %s; say in this test where its body is now", name)
	}
	var out []string
	for _, f := range st.Fields.List {
		if f.Tag == nil {
			if len(f.Names) > 0 {
				t.Fatalf("%s: field %s has no tag", name, f.Names[0])
			}
			out = append(out, s.members(t, embedded(f.Type, name))...)
			continue
		}
		raw, _ := strconv.Unquote(f.Tag.Value)
		if n, _, _ := strings.Cut(reflect.StructTag(raw).Get("json"), ","); n != "-" {
			out = append(out, n)
		}
	}
	return out
}

// embedded names the struct behind an embedded field of outer.
func embedded(x ast.Expr, outer string) string {
	dir, _, _ := strings.Cut(outer, ".")
	switch x := x.(type) {
	case *ast.SelectorExpr:
		return x.X.(*ast.Ident).Name + "." + x.Sel.Name
	case *ast.Ident:
		return dir + "." + x.Name
	}
	return ""
}

func allSource(t *testing.T) source {
	t.Helper()
	return read(t, "functions/admin", "functions/callback", "functions/portal", "functions/execute", "functions/keys", "functions/notify", "shared/apigw", "shared/audit", "shared/authn", "shared/connection", "shared/dynamo", "shared/catalog", "shared/toolcall")
}

// properties are the names that a schema describes, those of allOf included.
func properties(doc map[string]any, schema map[string]any) []string {
	var out []string
	props, _ := schema["properties"].(map[string]any)
	for k := range props {
		out = append(out, k)
	}
	all, _ := schema["allOf"].([]any)
	for _, x := range all {
		out = append(out, properties(doc, resolve(doc, x))...)
	}
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, slices.Compact(want)) {
		t.Errorf("%s: described %v, in the code %v", what, got, want)
	}
}

// bodies ties each request body's struct to its schema.
func bodies() map[string]string {
	return map[string]string{"admin.tenantBody": "TenantSettings", "admin.keyBody": "APIKeyRequest", "admin.scimTokenBody": "SCIMTokenRequest", "admin.sessionBody": "SessionRequest",
		"admin.accessBody": "Access", "admin.issuerBody": "IssuerRequest", "admin.narrowBody": "NarrowRequest", "admin.viewBody": "ViewRequest", "admin.policyBody": "PolicyRequest", "admin.decideBody": "PolicyDecideRequest", "admin.switchesBody": "SwitchesRequest",
		"notify.createBody": "WebhookRequest", "callback.decisionBody": "ApprovalDecisionRequest", "callback.approvalLinkBody": "ApprovalLinkRequest", "callback.clientBody": "OAuthClientRequest", "callback.linkBody": "ConnectLinkRequest", "callback.importBody": "ImportRequest", "callback.confirmBody": "ConfirmRequest", "portal.portalLinkBody": "PortalLinkRequest", "portal.mcpLoginBody": "MCPLoginRequest", "execute.executeBody": "ExecuteRequest", "execute.batchBody": "BatchRequest",
		"keys.resealBody": "ResealRequest", "keys.kmsKeyBody": "KMSKeyRequest"}
}

func TestOpenAPI_Schemas_HaveTheMembersOfTheStructs(t *testing.T) {
	t.Parallel()
	doc, src := openapi(t), allSource(t)
	answers := map[string]string{"admin.keyView": "StoredKey", "notify.webhookView": "Webhook", "notify.secretView": "NewWebhook", "notify.deliveryView": "WebhookDelivery", "admin.connectorView": "Connector", "admin.scopesView": "ConnectorScopes", "admin.toolView": "ConnectorTool",
		"admin.revokedConnection": "RevokedConnection", "admin.deletedTenant": "DeletedTenant", "admin.decision": "PolicyDecision", "execute.executeAnswer": "Execution", "execute.batchAnswer": "BatchAnswer", "execute.batchResult": "BatchResult", "admin.executionView": "ExecutionRecord", "apigw.Connection": "Connection",
		"connection.Access": "Access", "apigw.Revocation": "Revocation", "connection.Account": "Account", "audit.Record": "AuditRecord", "audit.Segment": "Segment", "audit.Sealed": "SealedRecord",
		"callback.approvalView": "Approval", "admin.tenantView": "Tenant", "toolcall.View": "View", "admin.resourceView": "ResourceMetadata", "admin.serverView": "ServerMetadata", "execute.notCallable": "NotCallable", "authn.Issuer": "Issuer", "catalog.mcpTool": "MCPTool", "catalog.openAITool": "OpenAITool", "catalog.anthropicTool": "AnthropicTool", "catalog.geminiTool": "GeminiTool",
		"keys.keyView": "TenantKey", "keys.keysView": "TenantKeys", "keys.resealView": "ResealReport", "keys.retiredView": "RetiredKey"}
	for _, table := range []map[string]string{bodies(), answers} {
		for name, schema := range table {
			same(t, schema, properties(doc, resolve(doc, at(doc, "components", "schemas", schema))), src.members(t, name))
		}
	}
}

// A body that is not closed would promise that unknown members are accepted.
func TestOpenAPI_RequestBodies_AreClosedAndComplete(t *testing.T) {
	t.Parallel()
	doc, src := openapi(t), allSource(t)
	for name, schema := range bodies() {
		if at(doc, "components", "schemas", schema, "additionalProperties") != false {
			t.Errorf("%s (%s) is not closed", schema, name)
		}
	}
	for name := range src.structs {
		if strings.HasSuffix(name, "Body") && bodies()[name] == "" {
			t.Errorf("the body %s is not described", name)
		}
	}
}

// Answers that are made as maps: the keys of the literals in the functions that make them.
func TestOpenAPI_Schemas_HaveTheMembersOfTheMaps(t *testing.T) {
	t.Parallel()
	doc, src := openapi(t), allSource(t)
	for schema, from := range map[string][]string{"Session": {"admin.mint"}, "OAuthClient": {"callback.clientView"}, "ConnectLink": {"callback.linkView"},
		"ChoiceNeeded": {"callback.choiceNeeded"}, "ApprovalLink": {"callback.createApprovalLink"}, "NewConnectLink": {"callback.linkView", "callback.createLink"}, "Confirmation": {"callback.confirm"}, "NewPortalLink": {"portal.createLink"}, "NewMCPLogin": {"portal.confirmLogin"}, "MCPTokens": {"admin.give"}, "Refresh": {"admin.refreshConnection"}, "PrincipalReport": {"admin.deletePrincipal"}, "ToolList": {"execute.answerList"}} {
		var want []string
		for _, fn := range from {
			if src.funcs[fn] == nil {
				t.Fatalf("there is no function %s; say in this test where its answer is made now", fn)
			}
			want = append(want, keys(src.funcs[fn])...)
		}
		same(t, schema, properties(doc, resolve(doc, at(doc, "components", "schemas", schema))), want)
	}
	once := keys(src.funcs["admin.shownOnce"])
	same(t, "NewAPIKey", properties(doc, resolve(doc, at(doc, "components", "schemas", "NewAPIKey"))), append(slices.Clone(once), "key"))
	same(t, "NewSCIMToken", properties(doc, resolve(doc, at(doc, "components", "schemas", "NewSCIMToken"))), append(slices.Clone(once), "token"))
}

// keys are the string keys of map literals, and of assignments to map elements, in fn.
func keys(fn *ast.FuncDecl) []string {
	var out []string
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if _, ok := n.Type.(*ast.MapType); !ok {
				return true
			}
			for _, e := range n.Elts {
				if k, ok := text(e.(*ast.KeyValueExpr).Key); ok {
					out = append(out, k)
				}
			}
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				if ix, ok := l.(*ast.IndexExpr); ok {
					if k, ok := text(ix.Index); ok {
						out = append(out, k)
					}
				}
			}
		}
		return true
	})
	return out
}

func text(x ast.Expr) (string, bool) {
	l, ok := x.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

var routePattern = regexp.MustCompile(`^(GET|PUT|POST|DELETE|PATCH|ANY) /`)

// handlers finds which method answers which route, wherever a map from route to method value is written.
func (s source) handlers(dir string) map[string]string {
	out := map[string]string{}
	for name, fn := range s.funcs {
		if !strings.HasPrefix(name, dir+".") {
			continue
		}
		note := func(k, v ast.Expr) {
			route, ok := text(k)
			if sel, isSel := v.(*ast.SelectorExpr); ok && isSel && routePattern.MatchString(route) {
				out[route] = dir + "." + sel.Sel.Name
			}
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				note(n.Key, n.Value)
			case *ast.AssignStmt:
				if ix, ok := n.Lhs[0].(*ast.IndexExpr); ok {
					note(ix.Index, n.Rhs[0])
				}
			}
			return true
		})
	}
	return out
}

// only are the query parameters that fn allows by Request.Only; those that its helpers allow are none at all.
func only(fn *ast.FuncDecl) []string {
	var out []string
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Only" {
			for _, a := range call.Args {
				if s, ok := text(a); ok {
					out = append(out, s)
				}
			}
		}
		return true
	})
	return out
}

func TestOpenAPI_QueryParameters_AreThoseThatHandlersAllow(t *testing.T) {
	t.Parallel()
	doc, src := openapi(t), read(t, "functions/admin", "functions/callback", "functions/portal", "functions/execute", "functions/keys", "functions/notify", "functions/scim")
	found := map[string]string{"GET /scim/v2/Users": "scim.list", "GET /scim/v2/Groups": "scim.list"}
	for _, dir := range []string{"admin", "callback", "portal", "execute", "keys", "notify"} {
		for route, fn := range src.handlers(dir) {
			found[route] = fn
		}
	}
	for route, op := range operations(doc) {
		if strings.Contains(route, " /oauth/callback") || strings.Contains(route, " /oauth/authorize") || strings.Contains(route, " /v1/proxy/") { // the provider decides what there may be; OAuth has what it does not know ignored
			continue
		}
		fn := src.funcs[found[route]]
		if fn == nil && !strings.Contains(route, " /scim/v2/") {
			t.Errorf("no handler was found for %s", route)
		}
		if fn != nil {
			same(t, route, queryOf(doc, op), only(fn))
		}
	}
}

func queryOf(doc, op map[string]any) []string {
	out := []string{}
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		if p := resolve(doc, p); p["in"] == "query" {
			out = append(out, p["name"].(string))
		}
	}
	return out
}

// Every member that code adds to a problem document with With is described.
func TestOpenAPI_Problem_DescribesEveryDetail(t *testing.T) {
	t.Parallel()
	doc := openapi(t)
	known := properties(doc, resolve(doc, at(doc, "components", "schemas", "Problem")))
	src := read(t, "functions/*", "shared/*")
	n := 0
	for _, f := range src.files {
		if f.Name.Name == "scim" || f.Name.Name == "client" { // SCIM has errors of its own; the client reads, it does not answer
			continue
		}
		ast.Inspect(f, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) != 2 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if k, lit := text(call.Args[0]); ok && lit && sel.Sel.Name == "With" {
				n++
				if !slices.Contains(known, k) {
					t.Errorf("%s adds %q to problem documents, which is not described", f.Name.Name, k)
				}
			}
			return true
		})
	}
	if n < 20 {
		t.Errorf("only %d details were found", n)
	}
}

// closed sets that the document lists are those of the code.
func TestOpenAPI_Enums_AreTheConstants(t *testing.T) {
	t.Parallel()
	doc := openapi(t)
	for _, c := range []struct{ schema, dir, typ string }{
		{"AuditKind", "shared/audit", "Kind"}, {"ConnectionStatus", "shared/connection", "Status"}, {"LinkStatus", "shared/oauthflow", "LinkStatus"}, {"Effect", "shared/catalog", "Effect"},
		{"WebhookStatus", "shared/notify", "Status"}, {"WebhookOutcome", "shared/notify", "Outcome"},
	} {
		var got []string
		for _, v := range at(doc, "components", "schemas", c.schema, "enum").([]any) {
			got = append(got, v.(string))
		}
		same(t, c.schema, got, constants(read(t, c.dir), c.typ))
	}
	var got []string
	for _, v := range at(doc, "components", "schemas", "Refresh", "properties", "result", "enum").([]any) {
		got = append(got, v.(string))
	}
	published := []string{}
	for _, e := range events.Published() {
		published = append(published, string(e))
	}
	described := []string{}
	for _, v := range at(doc, "components", "schemas", "EventType", "enum").([]any) {
		described = append(described, v.(string))
	}
	same(t, "EventType", described, published)
	same(t, "Refresh.result", got, constants(read(t, "shared/connection"), "RefreshStatus"))
}

// constants are the values of the string constants that are declared with the type typ.
func constants(src source, typ string) []string {
	var out []string
	for _, f := range src.files {
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == typ {
				for _, x := range v.Values {
					if s, ok := text(x); ok {
						out = append(out, s)
					}
				}
			}
			return true
		})
	}
	return out
}
