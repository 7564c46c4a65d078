package stacks

import (
	"strconv"

	api "github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/fault"
)

// newGatewayResponses makes API Gateway's own answers the same problem documents that the functions write. A timeout is
// outcome_unknown: the function may go on and reach the provider after API Gateway has given up.
func newGatewayResponses(rest api.RestApi, publicURL string) {
	for _, r := range []struct {
		id    string
		kind  api.ResponseType
		fault *fault.Error
	}{
		{"NoCredential", api.ResponseType_UNAUTHORIZED(), fault.New(fault.Unauthenticated, "send a credential in the Authorization header")},
		{"Refused", api.ResponseType_ACCESS_DENIED(), fault.New(fault.Unauthenticated, "the credential is not valid")},
		{"NoRoute", api.ResponseType_MISSING_AUTHENTICATION_TOKEN(), fault.New(fault.NotFound, "there is no such route")},
		{"Throttled", api.ResponseType_THROTTLED(), fault.New(fault.RateLimited, "slow down")},
		{"Timeout", api.ResponseType_INTEGRATION_TIMEOUT(), fault.New(fault.OutcomeUnknown, "no answer in time; the call may have been made")},
		{"ClientError", api.ResponseType_DEFAULT_4XX(), fault.New(fault.InvalidInput, "the request is not valid")},
		{"ServerError", api.ResponseType_DEFAULT_5XX(), fault.New(fault.Internal, "something went wrong on our side")},
	} {
		body, status := fault.Problem(r.fault, "$context.requestId")
		headers := map[string]*string{"Content-Type": jsii.String("'" + fault.ContentType + "'")}
		if r.fault.Code == fault.Unauthenticated {
			headers["WWW-Authenticate"] = jsii.String("'" + apigw.Challenge(publicURL, r.id == "Refused") + "'") // RFC 6750, section 3
		}
		rest.AddGatewayResponse(jsii.String(r.id), &api.GatewayResponseOptions{
			Type: r.kind, StatusCode: jsii.String(strconv.Itoa(status)), ResponseHeaders: &headers,
			Templates: &map[string]*string{"application/json": jsii.String(string(body))},
		})
	}
}
