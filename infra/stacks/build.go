package stacks

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Build declares the stacks of one stage in app.
func Build(app awscdk.App, o Options) {
	keyStack, k := newKeys(app, o)
	dataStack, tables := newData(app, o)
	service := newService(app, o, k, tables)
	service.AddStackDependency(keyStack, jsii.String("roles name its keys"))
	service.AddStackDependency(dataStack, jsii.String("roles name its tables"))
	if o.Canary {
		canary := newCanary(app, o, k)
		canary.AddStackDependency(service, jsii.String("its role assumes roles of that stack"))
	}
	newWatch(app, o)
}

func newStack(scope constructs.Construct, o Options, short, description string) awscdk.Stack {
	name := "behalf-" + o.Stage + "-" + short
	return awscdk.NewStack(scope, jsii.String(name), &awscdk.StackProps{
		StackName: jsii.String(name), Description: jsii.String(description), AnalyticsReporting: jsii.Bool(false),
		TerminationProtection: jsii.Bool(!o.Destroy),
		Tags:                  &map[string]*string{"app": jsii.String("behalf"), "stage": jsii.String(o.Stage)},
	})
}

func (o Options) removal() awscdk.RemovalPolicy {
	if o.Destroy {
		return awscdk.RemovalPolicy_DESTROY
	}
	return awscdk.RemovalPolicy_RETAIN
}

// logicalID makes a logical id of words with hyphens.
func logicalID(words string) string {
	var b strings.Builder
	for _, w := range strings.Split(words, "-") {
		b.WriteString(title(w))
	}
	return b.String()
}

// title is a short name as part of a logical id; logical ids are letters and digits.
func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// NewApp makes the CDK app; an empty outdir leaves the choice to the CDK command line.
func NewApp(outdir string) awscdk.App {
	props := &awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), TreeMetadata: jsii.Bool(false),
		// An export that is in use cannot change: that is meant for keys and stream, which must not be replaced either.
		Context: &map[string]any{"@aws-cdk/core:defaultCrossStackReferences": "strong"}}
	if outdir != "" {
		props.Outdir = jsii.String(outdir)
	}
	return awscdk.NewApp(props)
}

// Synthesise builds the stacks in an app of their own and writes the cloud assembly to outdir.
func Synthesise(outdir string, o Options) {
	app := NewApp(outdir)
	Build(app, o)
	app.Synth(nil)
}
