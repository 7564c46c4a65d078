package stacks

import (
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/shared/env"
)

// newFunction makes one function and its log group.
func newFunction(stack awscdk.Stack, n naming, o Options, f function, role awsiam.Role, values map[string]string) awslambda.Function {
	environment := map[string]*string{env.LogLevel: jsii.String(values[env.LogLevel])}
	for _, name := range f.variables {
		environment[name] = jsii.String(values[name])
	}
	props := &awslambda.FunctionProps{
		FunctionName: jsii.String(n.name(f.name)),
		Description:  jsii.String("Behalf: " + f.purpose),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: awslambda.Architecture_ARM_64(),
		Handler:      jsii.String("bootstrap"),
		Code:         code(stack, o, f.name),
		MemorySize:   jsii.Number(f.memory),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(f.timeout)),
		Tracing:      awslambda.Tracing_ACTIVE,
		LogGroup:     newLogGroup(stack, title(f.name)+"Logs", logGroupName(n, f.name), o),
		Environment:  &environment,
		Role:         role.WithoutPolicyUpdates(nil), // the policy is functionPolicy and nothing that a construct adds
	}
	if o.Reserved && f.reserved > 0 {
		props.ReservedConcurrentExecutions = jsii.Number(f.reserved)
	}
	if o.PerTenant && f.name == "execute" {
		props.TenancyConfig = awslambda.TenancyConfig_PER_TENANT()
	}
	return awslambda.NewFunction(stack, jsii.String(title(f.name)), props)
}

// code is the built binary of a function. Without one the stacks still synthesise, on a placeholder, and say so.
func code(stack awscdk.Stack, o Options, function string) awslambda.Code {
	dir := filepath.Join(o.Build, function)
	if _, err := os.Stat(filepath.Join(dir, "bootstrap")); o.Build != "" && err == nil {
		return awslambda.Code_FromAsset(jsii.String(dir), nil)
	}
	if o.Build != "" {
		awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("behalf:not-built:"+function),
			jsii.String(dir+"/bootstrap does not exist: a placeholder takes its place. Build the functions before you deploy."))
	}
	return awslambda.Code_FromAsset(jsii.String(o.Placeholder), nil)
}

// newLogGroup makes a log group that forgets after o.LogDays.
func newLogGroup(stack awscdk.Stack, id, name string, o Options) awslogs.LogGroup {
	group := awslogs.NewLogGroup(stack, jsii.String(id), &awslogs.LogGroupProps{LogGroupName: jsii.String(name), RemovalPolicy: o.removal()})
	group.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(o.LogDays)) // the L2 construct takes names of days only
	return group
}
