package layout

// Guard limits who may import a path and everything below it.
type Guard struct {
	Path string
	// Allowed are directories, each with all below it.
	Allowed []string
	// Tests tells that test files are held to it as well.
	Tests bool
	// Exact tells that each allowed directory must use it: a list of who may open secrets holds nobody who need not.
	Exact bool
}

// Rules are what Check holds a tree to.
type Rules struct {
	// Module is the import path of the root, without a trailing slash.
	Module string
	// Rings gives directories their layer; what lies below a directory is in its ring.
	Rings map[string]int
	// Peers is the lowest ring whose packages may import each other.
	Peers int
	// Foundation is the one package that its own ring may import all the same.
	Foundation string
	Guards     []Guard
	// Banned are package names that say what a package contains and not what it provides.
	Banned []string
	// Bare are directories that hold folders and no Go file of their own.
	Bare []string
	// Top is what may stand at the root.
	Top []string
	// Once are directories of programs that run once and end; the rule against package variables is for those that serve.
	Once []string
	// Ignored are directories that are no part of the source, at any depth.
	Ignored []string
	// Limits in lines, for a main in lines with code, imports aside; tests are held to none of them.
	MainLines, FileLines, FuncLines int
}

// Behalf returns the rules of this repository.
func Behalf() Rules {
	return Rules{
		Module: "behalf.dev/behalf", Rings: rings(), Peers: 3, Foundation: "shared/fault", Guards: guards(),
		Banned: []string{"util", "utils", "common", "types", "models", "model", "helpers", "helper", "base", "misc", "shared", "interfaces", "core", "lib"},
		Bare:   []string{"shared", "functions", "integration", "docs"},
		Top: []string{"cmd", "connectors", "docs", "events", "functions", "infra", "integration", "sdk", "shared", ".ci", ".git", ".github", ".gitignore", ".gitattributes", ".editorconfig",
			".golangci.yaml", ".golangci.yml", "cdk.json", "go.mod", "go.sum", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "NOTICE", "README.md", "SECURITY.md", "VERSION"},
		Once:      []string{"infra"},
		Ignored:   []string{".git", ".cache", "build", "cdk.out", "node_modules", ".behalf", "testdata", ".venv", "__pycache__"},
		MainLines: 40, FileLines: 400, FuncLines: 60,
	}
}

func rings() map[string]int {
	out := map[string]int{}
	for ring, dirs := range [][]string{
		{"events", "shared/secret", "shared/fault", "shared/tenant", "shared/env", "shared/ident", "shared/webhook", "shared/clientcert"},
		{"shared/connection", "shared/catalog", "shared/audit", "shared/authn", "shared/egress", "shared/policy"},
		{"shared/vault", "shared/oauthclient", "shared/oauthflow", "shared/refresh", "shared/toolcall", "shared/scim", "shared/revoke", "shared/notify"},
		{"shared/dynamo", "shared/memory", "shared/storetest", "shared/awskms", "shared/awssts", "shared/awssqs", "shared/awsevents", "shared/awss3", "shared/awslambda", "shared/apigw",
			"shared/scim/scimtest", "shared/trace", "shared/metric", "shared/workspace", "shared/keyring", "shared/approval", "shared/xoauth2", "shared/client", "shared/webpage", "connectors"},
		{"functions"},
		{"integration", "cmd", "infra"},
	} {
		for _, d := range dirs {
			out[d] = ring
		}
	}
	return out
}

func guards() []Guard {
	return []Guard{
		{Path: "behalf.dev/behalf/shared/secret/reveal", Exact: true, Allowed: []string{"shared/secret", "shared/vault", "shared/authn", "shared/egress", "shared/oauthflow", "shared/toolcall",
			"shared/approval", "shared/revoke", "shared/xoauth2", "shared/client", "shared/notify", "functions/admin", "functions/notify", "integration", "cmd"}},
		{Path: "github.com/aws/aws-sdk-go-v2", Allowed: []string{"shared/dynamo", "shared/awskms", "shared/awssts", "shared/awssqs", "shared/awsevents", "shared/awss3", "shared/awslambda", "shared/apigw", "shared/scim/scimtest", "shared/trace",
			"shared/workspace", "functions", "integration", "cmd"}},
		{Path: "github.com/aws/aws-lambda-go", Allowed: []string{"shared/apigw", "shared/awslambda", "functions", "integration"}},
		{Path: "github.com/aws/aws-xray-sdk-go", Allowed: []string{"shared/trace"}},
		{Path: "github.com/aws/aws-cdk-go", Allowed: []string{"infra"}, Tests: true},
		{Path: "github.com/aws/jsii-runtime-go", Allowed: []string{"infra"}, Tests: true},
		{Path: "github.com/modelcontextprotocol", Allowed: []string{"functions/execute"}},
		{Path: "golang.org/x/oauth2", Allowed: []string{"shared/xoauth2", "shared/oauthflow"}},
	}
}
