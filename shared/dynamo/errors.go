package dynamo

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"behalf.dev/behalf/shared/fault"
)

// classify reads an AWS error once, here. Throttling is worth a retry; a refused permission is our own mistake or
// somebody's attack, and is told apart for the logs and the isolation tests by Denied.
func classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	var throttled *types.ProvisionedThroughputExceededException
	var limit *types.RequestLimitExceeded
	var conflict *types.TransactionConflictException
	var canceled *types.TransactionCanceledException
	if errors.As(err, &throttled) || errors.As(err, &limit) || errors.As(err, &conflict) || errors.As(err, &canceled) && busy(canceled) {
		return fault.New(fault.RateLimited, "the store is busy; try again").WithRetryAfter(time.Second).WithCause(err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// busy reports that a transaction was cancelled for reasons that pass.
func busy(canceled *types.TransactionCanceledException) bool {
	for _, r := range canceled.CancellationReasons {
		switch aws.ToString(r.Code) {
		case "TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError":
			return true
		}
	}
	return false
}

// Denied reports whether IAM refused a request: the key lies outside what the credentials were vended for.
func Denied(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "AccessDeniedException" || api.ErrorCode() == "AccessDenied")
}
