package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Open returns a DB over the tables of a deployment stage with the operator's own credentials: those that the AWS CLI
// would use. It is for the command line; functions work with vended credentials.
func Open(ctx context.Context, stage string, now func() time.Time) (*DB, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	p := "behalf-" + stage + "-"
	return New(dynamodb.NewFromConfig(cfg), Names{Vault: p + "vault", Directory: p + "directory", Flow: p + "flow", Audit: p + "audit"}, now), nil
}
