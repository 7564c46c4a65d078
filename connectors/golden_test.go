package connectors_test

import (
	"io/fs"
	"os"
	"testing"

	"behalf.dev/behalf/shared/catalog"
	"github.com/goccy/go-yaml"
)

// golden is what the YAML files in a connector's testdata hold; any file may hold any part. README.md describes it.
type golden struct {
	Requests   []goldenRequest  `yaml:"requests"`
	Refused    []goldenRefused  `yaml:"refused"`
	Responses  []goldenResponse `yaml:"responses"`
	Tokens     []goldenToken    `yaml:"tokens"`
	Outcomes   []goldenOutcome  `yaml:"outcomes"`
	Identity   []goldenIdentity `yaml:"identity"`
	Revoke     *goldenCall      `yaml:"revoke"`
	Introspect *goldenCall      `yaml:"introspect"`
	Authorize  *goldenAuthorize `yaml:"authorize"`
	Policy     *goldenPolicy    `yaml:"policy"`
	// Credentials are forms of connectors that ask for something.
	Credentials []goldenCredential `yaml:"credentials"`
	Assertion   *goldenAssertion   `yaml:"assertion"`
}

// goldenCredential is a form; Problem is the field that is refused, or Want what it makes.
type goldenCredential struct {
	Values  map[string]string `yaml:"values"`
	Problem *string           `yaml:"problem"`
	Want    struct {
		Access   string            `yaml:"access"`
		Wire     string            `yaml:"wire"`
		Metadata map[string]string `yaml:"metadata"`
	} `yaml:"want"`
}

// goldenAssertion is the JWT of a form at 2026-01-01. @KEY@ in a value is a fresh private key.
type goldenAssertion struct {
	Values map[string]string `yaml:"values"`
	Scopes []string          `yaml:"scopes"`
	Client string            `yaml:"client"`
	Want   struct {
		Algorithm string         `yaml:"alg"`
		KeyID     string         `yaml:"kid"`
		Claims    map[string]any `yaml:"claims"`
	} `yaml:"want"`
}

type goldenPolicy struct {
	Mode               catalog.AuthMode      `yaml:"mode"`
	ClientAuth         catalog.ClientAuth    `yaml:"client_auth"`
	PKCE               catalog.PKCE          `yaml:"pkce"`
	Rotation           catalog.RotationClass `yaml:"rotation"`
	OldAccessTokenDies bool                  `yaml:"old_access_token_dies"`
	Expires            catalog.ExpiryMode    `yaml:"expires"`
}

type wire struct {
	Method  string            `yaml:"method"`
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
}

type goldenRequest struct {
	Tool     string            `yaml:"tool"`
	Input    string            `yaml:"input"`
	Metadata map[string]string `yaml:"metadata"`
	Want     wire              `yaml:"want"`
}

type goldenRefused struct {
	Tool     string            `yaml:"tool"`
	Input    string            `yaml:"input"`
	Metadata map[string]string `yaml:"metadata"`
	Field    string            `yaml:"field"`
}

type goldenResponse struct {
	Tool   string `yaml:"tool"`
	Status int    `yaml:"status"`
	Body   string `yaml:"body"`
	Want   string `yaml:"want"`
}

type goldenToken struct {
	Name        string `yaml:"name"`
	ContentType string `yaml:"content_type"`
	Body        string `yaml:"body"`
	Want        struct {
		AccessToken      string            `yaml:"access_token"`
		RefreshToken     string            `yaml:"refresh_token"`
		ExpiresIn        int               `yaml:"expires_in"`
		RefreshExpiresIn int               `yaml:"refresh_expires_in"`
		Scopes           []string          `yaml:"scopes"`
		Metadata         map[string]string `yaml:"metadata"`
		Fault            string            `yaml:"fault"`
	} `yaml:"want"`
}

type goldenOutcome struct {
	On      string            `yaml:"on"`
	Status  int               `yaml:"status"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	Want    struct {
		Kind          string   `yaml:"kind"`
		Reason        string   `yaml:"reason"`
		Message       string   `yaml:"message"`
		RetryAfter    int      `yaml:"retry_after_seconds"`
		MissingScopes []string `yaml:"missing_scopes"`
	} `yaml:"want"`
}

type goldenIdentity struct {
	Body     string            `yaml:"body"`
	Metadata map[string]string `yaml:"metadata"`
	Want     struct {
		URL        string `yaml:"url"`
		Method     string `yaml:"method"`
		AccountID  string `yaml:"account_id"`
		Login      string `yaml:"login"`
		Name       string `yaml:"name"`
		Email      string `yaml:"email"`
		TenantID   string `yaml:"tenant_id"`
		TenantName string `yaml:"tenant_name"`
		Fault      string `yaml:"fault"`
	} `yaml:"want"`
}

type goldenCall struct {
	Metadata map[string]string `yaml:"metadata"`
	Request  wire              `yaml:"request"`
	Answers  []struct {
		Status  int    `yaml:"status"`
		Body    string `yaml:"body"`
		OK      bool   `yaml:"ok"`
		Summary string `yaml:"summary"`
	} `yaml:"answers"`
}

type goldenAuthorize struct {
	Metadata map[string]string `yaml:"metadata"`
	Scopes   []string          `yaml:"scopes"`
	Want     string            `yaml:"want"`
}

// readGolden joins all testdata files of a connector.
func readGolden(t *testing.T, id string) golden {
	t.Helper()
	files, err := fs.Glob(os.DirFS("."), id+"/testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all golden
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := yaml.UnmarshalWithOptions(data, &g, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all.add(g)
	}
	return all
}

func (g *golden) add(o golden) {
	g.Requests = append(g.Requests, o.Requests...)
	g.Refused = append(g.Refused, o.Refused...)
	g.Responses = append(g.Responses, o.Responses...)
	g.Tokens = append(g.Tokens, o.Tokens...)
	g.Outcomes = append(g.Outcomes, o.Outcomes...)
	g.Identity = append(g.Identity, o.Identity...)
	if o.Revoke != nil {
		g.Revoke = o.Revoke
	}
	if o.Introspect != nil {
		g.Introspect = o.Introspect
	}
	if o.Policy != nil {
		g.Policy = o.Policy
	}
	g.Credentials = append(g.Credentials, o.Credentials...)
	if o.Assertion != nil {
		g.Assertion = o.Assertion
	}
	if o.Authorize != nil {
		g.Authorize = o.Authorize
	}
}
