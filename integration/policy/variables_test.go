package policy_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/functions/admin"
	"behalf.dev/behalf/functions/audit"
	"behalf.dev/behalf/functions/authorizer"
	"behalf.dev/behalf/functions/callback"
	"behalf.dev/behalf/functions/canary"
	"behalf.dev/behalf/functions/execute"
	"behalf.dev/behalf/functions/keys"
	"behalf.dev/behalf/functions/notify"
	"behalf.dev/behalf/functions/portal"
	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/functions/revoke"
	"behalf.dev/behalf/functions/scim"
	"behalf.dev/behalf/integration/policy"
	"behalf.dev/behalf/shared/env"
)

// required is the environment variables that each function's config requires, as the function says itself.
func required() map[string][]string {
	return map[string][]string{
		"authorizer": authorizer.Variables(), "admin": admin.Variables(), "callback": callback.Variables(), "execute": execute.Variables(), "refresh": refresh.Variables(),
		"scim": scim.Variables(), "portal": portal.Variables(), "revoke": revoke.Variables(), "audit": audit.Variables(), "canary": canary.Variables(), "keys": keys.Variables(), "notify": notify.Variables(),
	}
}

// functionsOf returns the Lambda functions by short name.
func functionsOf(d *policy.Deployment) map[string]policy.Resource {
	out := map[string]policy.Resource{}
	for _, f := range d.Of("AWS::Lambda::Function") {
		out[strings.TrimPrefix(fmt.Sprint(f.Properties["FunctionName"]), "behalf-local-")] = f
	}
	return out
}

// at walks nested objects and lists; nil where the path ends early.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func TestFunctions_Variables_AreWhatTheirConfigRequires(t *testing.T) {
	t.Parallel()
	functions := functionsOf(load(t))
	if got, want := slices.Sorted(maps.Keys(functions)), slices.Sorted(maps.Keys(required())); !slices.Equal(got, want) {
		t.Fatalf("functions %v, want %v", got, want)
	}
	for name, want := range required() {
		set, _ := at(functions[name].Properties, "Environment", "Variables").(map[string]any)
		want = append(slices.Clone(want), env.LogLevel)
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(set)); !slices.Equal(got, want) {
			t.Errorf("%s is given %v, requires %v", name, got, want)
		}
		for variable, value := range set {
			if fmt.Sprint(value) == "" {
				t.Errorf("%s: %s is empty", name, variable)
			}
		}
	}
}

// A folder under functions/ is deployed, and what is deployed has a folder.
func TestFunctions_EveryFolder_IsDeployed(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob("../../functions/*/lambda/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, m := range mains {
		folders = append(folders, filepath.Base(filepath.Dir(filepath.Dir(m))))
	}
	if got := slices.Sorted(maps.Keys(functionsOf(load(t)))); !slices.Equal(got, folders) {
		t.Errorf("deployed %v, folders %v", got, folders)
	}
}

// A variable that names a resource names one that this deployment makes.
func TestFunctions_Variables_PointAtOwnResources(t *testing.T) {
	t.Parallel()
	d := load(t)
	known := map[string]bool{}
	for _, r := range d.Roles() {
		known[r.ARN] = true
	}
	for _, table := range d.Of("AWS::DynamoDB::GlobalTable") {
		known[fmt.Sprint(table.Properties["TableName"])] = true
	}
	for _, b := range d.Of("AWS::S3::Bucket") {
		known[fmt.Sprint(b.Properties["BucketName"])] = true
	}
	for name := range functionsOf(d) {
		known["behalf-local-"+name] = true
	}
	for name, f := range functionsOf(d) {
		set, _ := at(f.Properties, "Environment", "Variables").(map[string]any)
		for variable, value := range set {
			if s := fmt.Sprint(value); strings.HasPrefix(s, "behalf-local-") || strings.HasPrefix(s, "arn:aws:iam:") {
				if !known[s] {
					t.Errorf("%s: %s names %s, which is not deployed", name, variable, s)
				}
			}
		}
	}
}
