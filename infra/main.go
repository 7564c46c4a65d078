// Command infra is the CDK app that deploys Behalf. The CDK command line runs it by cdk.json at the repository root:
//
//	npx aws-cdk@2.1148.1 synth                   print the templates; needs no AWS account
//	npx aws-cdk@2.1148.1 deploy --all -c stage=prod
//
// By itself it writes the committed copy of the templates, which the local stack and the policy tests read:
//
//	go -C infra run . -templates ../integration/stack/template
//
// (The canary's goes to integration/policy/canary, since the local stack does not run it.)
//
// This module pins the root module's dependencies as well as its own. When the root go.mod has changed, bring it up to date:
//
//	go -C infra mod tidy
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/infra/committed"
	"behalf.dev/behalf/infra/stacks"
)

// canaryDir is where the canary's template is committed, seen from the others.
const canaryDir = "../../policy/canary"

func main() {
	templates := flag.String("templates", "", "write the committed copy of the templates to this `directory` and do nothing else")
	flag.Parse()
	if err := run(*templates); err != nil {
		fmt.Fprintln(os.Stderr, "infra:", err)
		os.Exit(1)
	}
}

func run(templates string) error {
	defer jsii.Close()
	if templates != "" {
		return write(templates)
	}
	app := stacks.NewApp("")
	options, err := stacks.FromContext(app)
	if err != nil {
		return err
	}
	stacks.Build(app, options)
	app.Synth(nil)
	return nil
}

func write(dir string) error {
	outdir, err := os.MkdirTemp("", "behalf-synth-")
	if err != nil {
		return fmt.Errorf("make a directory to synthesise in: %w", err)
	}
	defer os.RemoveAll(outdir)
	stacks.Synthesise(outdir, stacks.Local())
	return committed.Write(outdir, dir, filepath.Join(dir, canaryDir))
}
