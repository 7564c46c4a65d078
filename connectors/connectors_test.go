// The tests walk the embedded tree: a new folder is tested by being there, against its own testdata.
package connectors_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/catalog"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func load(t *testing.T, opts ...catalog.Option) *catalog.Catalog {
	t.Helper()
	c, err := connectors.Load(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConnectors_EveryFolder_LoadsAndCompiles(t *testing.T) {
	t.Parallel()
	c := load(t)
	if err := c.Verify(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == "schema" {
			continue
		}
		if _, err := c.Connector(e.Name()); err != nil {
			t.Errorf("folder %s is no connector: %v", e.Name(), err)
		}
	}
	if len(c.Connectors()) < 3 {
		t.Errorf("only %d connectors", len(c.Connectors()))
	}
}

func TestConnectors_EveryFolder_HoldsDataOnly(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Dir(p) != "." && filepath.Ext(p) == ".go" {
			t.Errorf("%s: a connector holds no Go", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestConnectors_EveryFile_PassesThePublishedSchema(t *testing.T) {
	t.Parallel()
	for file, schemaFile := range map[string]string{"connector.yaml": "connector", "tools.yaml": "tools"} {
		schema := compile(t, "schema/"+schemaFile+".schema.json")
		files, err := fs.Glob(connectors.Files(), "*/"+file)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", file, err)
		}
		for _, f := range files {
			if err := schema.Validate(asJSON(t, f)); err != nil {
				t.Errorf("%s: %v", f, err)
			}
		}
	}
}

func compile(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	data, err := fs.ReadFile(connectors.Files(), file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(file, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(file)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

func asJSON(t *testing.T, file string) any {
	t.Helper()
	data, err := fs.ReadFile(connectors.Files(), file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestConnectors_PublishedSchema_RefusesAnUnknownField(t *testing.T) {
	t.Parallel()
	v := asJSON(t, "github/connector.yaml").(map[string]any)
	v["rotation"].(map[string]any)["graceSeconds"] = json.Number("1")
	if compile(t, "schema/connector.schema.json").Validate(v) == nil {
		t.Error("accepted")
	}
}

func TestTools_Names_AreUniqueAndFitEveryFramework(t *testing.T) {
	t.Parallel()
	grammar := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	seen := map[string]bool{}
	for _, c := range load(t).Connectors() {
		tools, err := c.Tools()
		if err != nil || len(tools) == 0 {
			t.Fatalf("%s: %d tools, %v", c.ID, len(tools), err)
		}
		for _, tool := range tools {
			if seen[tool.Name] || !grammar.MatchString(tool.Name) || !strings.HasPrefix(tool.Name, c.ID+"_") {
				t.Errorf("bad or repeated name %q", tool.Name)
			}
			seen[tool.Name] = true
		}
	}
}

// TestTools_Schemas_UseOnlyWhatAllFrameworksAccept reads the published text, not our structs.
func TestTools_Schemas_UseOnlyWhatAllFrameworksAccept(t *testing.T) {
	t.Parallel()
	for _, c := range load(t).Connectors() {
		tools, _ := c.Tools()
		for _, tool := range tools {
			var root map[string]any
			if err := json.Unmarshal(tool.InputSchema, &root); err != nil {
				t.Fatal(err)
			}
			if root["additionalProperties"] != false || root["properties"] == nil {
				t.Errorf("%s: the schema is open or has no properties", tool.Name)
			}
			checkPortable(t, tool.Name, root)
		}
	}
}

func checkPortable(t *testing.T, at string, node map[string]any) {
	t.Helper()
	for _, word := range []string{"$ref", "$defs", "oneOf", "anyOf", "allOf", "not", "if", "const", "patternProperties"} {
		if _, ok := node[word]; ok {
			t.Errorf("%s: %s", at, word)
		}
	}
	if _, ok := node["type"].(string); !ok {
		t.Errorf("%s: type is %v", at, node["type"])
	}
	props, _ := node["properties"].(map[string]any)
	for name, p := range props {
		child := p.(map[string]any)
		if child["description"] == nil {
			t.Errorf("%s.%s: no description", at, name)
		}
		checkPortable(t, at+"."+name, child)
	}
	if items, ok := node["items"].(map[string]any); ok {
		checkPortable(t, at+"[]", items)
	}
}

// TestHosts_Override_EveryURLOfEveryConnectorStaysBelowIt is the local stack: no address may still be the real one.
func TestHosts_Override_EveryURLOfEveryConnectorStaysBelowIt(t *testing.T) {
	t.Parallel()
	const local = "http://127.0.0.1:8788/"
	over, meta := catalog.Hosts{}, map[string]string{}
	for _, c := range load(t).Connectors() {
		over[c.ID] = map[string]string{}
		for name, spec := range hostsOf(t, c.ID) {
			over[c.ID][name] = local + c.ID + "/" + name
			special, _ := spec.(map[string]any)
			if captured, ok := special["capture"].(string); ok {
				meta[captured] = over[c.ID][name] + "/acme"
			}
			params, _ := special["params"].(map[string]any)
			for param := range params {
				over[c.ID][name] += "/{" + param + "}"
			}
		}
	}
	for _, c := range load(t, catalog.WithHosts(over)).Connectors() {
		urls := connectorURLs(t, c, meta)
		if len(urls) < 2 || c.Mode == catalog.ModeOAuth2 && len(urls) < 4 {
			t.Errorf("%s: only %d addresses", c.ID, len(urls))
		}
		for _, u := range urls {
			if !strings.HasPrefix(u, local+c.ID+"/") {
				t.Errorf("%s: %s", c.ID, u)
			}
		}
	}
}

func hostsOf(t *testing.T, id string) map[string]any {
	t.Helper()
	var m struct {
		Hosts map[string]any `yaml:"hosts"`
	}
	data, err := fs.ReadFile(connectors.Files(), path.Join(id, "connector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m.Hosts
}

func TestHosts_NoOverride_EveryURLIsHTTPS(t *testing.T) {
	t.Parallel()
	for _, c := range load(t).Connectors() {
		meta := map[string]string{}
		for _, r := range readGolden(t, c.ID).Requests {
			maps.Copy(meta, r.Metadata)
		}
		for _, u := range connectorURLs(t, c, meta) {
			if !strings.HasPrefix(u, "https://") {
				t.Errorf("%s: %s", c.ID, u)
			}
		}
	}
}

func connectorURLs(t *testing.T, c *catalog.Connector, meta map[string]string) []string {
	t.Helper()
	var urls []string
	add := func(u string, err error) {
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
		urls = append(urls, u)
	}
	challenge := "x"
	if c.PKCE == catalog.PKCENever {
		challenge = ""
	}
	for _, r := range readGolden(t, c.ID).Requests {
		for name, v := range r.Metadata {
			if meta[name] == "" {
				meta[name] = v
			}
		}
	}
	if c.Mode == catalog.ModeOAuth2 {
		add(c.AuthorizeURL(meta, catalog.AuthorizeRequest{CodeChallenge: challenge}))
	}
	if asks(c) {
		add(c.TokenURL(meta))
	}
	if r, ok, err := c.RevokeRequest(meta, "client"); ok || err != nil {
		add(r.URL.String(), err)
	}
	if r, ok, err := c.IntrospectRequest(meta, "client"); ok || err != nil {
		add(r.URL.String(), err)
	}
	if r, ok, err := c.IdentityRequest(meta); ok || err != nil {
		add(r.URL.String(), err)
	}
	tools, _ := c.Tools()
	for _, tool := range tools {
		for _, g := range readGolden(t, c.ID).Requests {
			if g.Tool == tool.Name {
				add(boundURL(tool, g, meta))
			}
		}
	}
	return urls
}

func boundURL(tool *catalog.Tool, g goldenRequest, meta map[string]string) (string, error) {
	input, err := tool.ValidateInput(json.RawMessage(g.Input))
	if err != nil {
		return "", err
	}
	r, err := tool.Bind(input, meta)
	if err != nil {
		return "", err
	}
	return r.URL.String(), nil
}

// TestREADME_Sample_Loads keeps the first thing that an author copies true.
func TestREADME_Sample_Loads(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	sample, _, _ := strings.Cut(rest, "```")
	_, err = catalog.Load(fstest.MapFS{"acme/connector.yaml": {Data: []byte(strings.ReplaceAll(sample, "\n   ", "\n"))}})
	if err != nil {
		t.Error(err)
	}
}
