package stacks

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	api "github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/shared/apigw"
)

// authorizerCacheSeconds is how long API Gateway reuses an authorizer's answer: the longest that a deleted API key lives on.
// What may change within a session is read again by execute on each call.
const authorizerCacheSeconds = 60

// newAPI makes the REST API: the only kind that works with tenant isolation mode, and one that a web firewall can stand before.
// The authorizer's answer carries live credentials, so execution logs are off and the access log names its fields one by one.
func newAPI(stack awscdk.Stack, n naming, o Options) api.RestApi {
	logs := newLogGroup(stack, "AccessLogs", "/aws/apigateway/"+n.name("access"), o)
	props := &api.RestApiProps{
		RestApiName: jsii.String("behalf-" + o.Stage),
		Description: jsii.String("Behalf"),
		// Answers and uploads that pass through the proxy route may be binary. The setting is the API's: every body reaches the
		// functions in base64.
		BinaryMediaTypes:      jsii.Strings("*/*"),
		EndpointConfiguration: &api.EndpointConfiguration{Types: &[]api.EndpointType{api.EndpointType_REGIONAL}},
		CloudWatchRole:        jsii.Bool(o.AccountLogRole),
		DeployOptions: &api.StageOptions{
			StageName: jsii.String(o.Stage), TracingEnabled: jsii.Bool(true), MetricsEnabled: jsii.Bool(true),
			LoggingLevel: api.MethodLoggingLevel_OFF, DataTraceEnabled: jsii.Bool(false),
			AccessLogDestination: api.NewLogGroupLogDestination(logs),
			AccessLogFormat:      api.AccessLogFormat_Custom(jsii.String(accessLogFormat())),
		},
	}
	if o.AccountLogRole {
		props.CloudWatchRoleRemovalPolicy = awscdk.RemovalPolicy_RETAIN // other APIs of the account log by it too
	}
	if o.Domain != "" {
		props.DisableExecuteApiEndpoint = jsii.Bool(true)
		props.DomainName = &api.DomainNameOptions{
			DomainName: jsii.String(o.Domain), EndpointType: api.EndpointType_REGIONAL, SecurityPolicy: api.SecurityPolicy_TLS_1_2,
			Certificate: awscertificatemanager.Certificate_FromCertificateArn(stack, jsii.String("Certificate"), jsii.String(o.Certificate)),
		}
	}
	return api.NewRestApi(stack, jsii.String("Api"), props)
}

// accessLogFormat names the route and not the path, since the path of a connect link is a secret, and nothing of the authorizer.
func accessLogFormat() string {
	line, _ := json.Marshal(map[string]string{ // a map of strings always marshals
		"request_id": "$context.requestId", "trace_id": "$context.xrayTraceId", "time": "$context.requestTimeEpoch",
		"method": "$context.httpMethod", "route": "$context.resourcePath", "status": "$context.status",
		"integration_status": "$context.integration.status", "latency_ms": "$context.responseLatency",
		"integration_latency_ms": "$context.integrationLatency", "ip": "$context.identity.sourceIp", "bytes": "$context.responseLength",
	})
	return string(line)
}

// publicURL is where browsers and agents reach the API. It is put together, not taken from the stage, since the stage
// depends on the functions and they on this address.
func publicURL(stack awscdk.Stack, o Options, rest api.RestApi) string {
	url := "https://" + *rest.RestApiId() + ".execute-api." + *stack.Region() + "." + *stack.UrlSuffix() + "/" + o.Stage
	if o.Domain != "" {
		url = "https://" + o.Domain
	}
	awscdk.NewCfnOutput(stack, jsii.String("PublicUrl"), &awscdk.CfnOutputProps{Value: jsii.String(url), Description: jsii.String("Where agents and browsers reach Behalf")})
	return url
}

// newRoutes serves apigw.Routes. A route that asks for a credential goes through the authorizer; without an Authorization
// header API Gateway answers 401 by itself.
func newRoutes(stack awscdk.Stack, o Options, rest api.RestApi, made map[string]awslambda.Function) {
	authorizer := api.NewRequestAuthorizer(stack, jsii.String("Caller"), &api.RequestAuthorizerProps{
		AuthorizerName: jsii.String("caller"), Handler: made["authorizer"],
		IdentitySources: &[]*string{api.IdentitySource_Header(jsii.String("Authorization"))},
		ResultsCacheTtl: awscdk.Duration_Seconds(jsii.Number(authorizerCacheSeconds)),
	})
	type kind struct {
		function apigw.Function
		streams  bool
	}
	integrations := map[kind]api.Integration{}
	for _, route := range apigw.Routes() {
		of := kind{route.Function, route.Streams()}
		integration, ok := integrations[of]
		if !ok {
			integration = newIntegration(o, string(route.Function), made[string(route.Function)], of.streams)
			integrations[of] = integration
		}
		options := &api.MethodOptions{AuthorizationType: api.AuthorizationType_NONE}
		if route.Auth != apigw.None {
			options = &api.MethodOptions{AuthorizationType: api.AuthorizationType_CUSTOM, Authorizer: authorizer}
		}
		rest.Root().ResourceForPath(jsii.String(route.Path)).AddMethod(jsii.String(route.Method), integration, options)
	}
}

// newIntegration hands whole requests to a function. One permission covers all of its routes: one for each would outgrow
// Lambda's limit of 20 KB. The tenant of an isolated function comes from the authorizer and never from a header of the client. An
// integration that streams hands answers on while they come; it is the only kind that may take longer than apiTimeout.
func newIntegration(o Options, name string, f awslambda.Function, streams bool) api.Integration {
	options := &api.LambdaIntegrationOptions{Proxy: jsii.Bool(true), ScopePermissionToMethod: jsii.Bool(false)}
	if o.PerTenant && name == "execute" {
		options.RequestParameters = &map[string]*string{"integration.request.header.X-Amz-Tenant-Id": jsii.String("context.authorizer.tenant")}
	}
	if streams {
		options.ResponseTransferMode = api.ResponseTransferMode_STREAM
		options.Timeout = awscdk.Duration_Seconds(jsii.Number(streamTimeout))
	}
	return api.NewLambdaIntegration(f, options)
}
