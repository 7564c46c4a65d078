package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
)

// limited is the store under credentials that may touch alice's partition only.
func limited(t *testing.T, db *dynamo.DB, a *localaws.AWS) *dynamo.DB {
	t.Helper()
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem","dynamodb:Query"],"Resource":"*",
		"Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["T#acme#U#alice"]},"Null":{"dynamodb:LeadingKeys":"false"}}}]}`
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	arn, err := a.SetRole("alice-only", trust, policy)
	if err != nil {
		t.Fatal(err)
	}
	key, secret, token := a.RoleCredentials(arn)
	return db.With(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, SessionToken: token}, nil
	}))
}

func TestDenied_OutsideTheVendedScope_IsTold(t *testing.T) {
	t.Parallel()
	db, a := embedded(t)
	c := stored(t, db)
	mine := limited(t, db, a)
	if _, err := mine.Connection(t.Context(), c.Ref); err != nil {
		t.Fatalf("what was vended is refused: %v", err)
	}
	bob := c
	bob.Principal = "bob"
	asked := 0
	for name, err := range map[string]error{
		"read":        second(mine.Connection(t.Context(), bob.Ref)),
		"query":       second(mine.ConnectionsOf(t.Context(), bob.Scope)),
		"write":       mine.PutSlot(t.Context(), bob.Ref, connection.Slot{Generation: 1}),
		"update":      second(mine.UpdateConnection(t.Context(), bob, increment(&asked))),
		"transaction": mine.CreateConnection(t.Context(), bob),
		"index":       second(mine.Due(t.Context(), 0, clock(), connection.Due{}, 10)),
	} {
		if !dynamo.Denied(err) {
			t.Errorf("%s: %v is not taken for a refusal", name, err)
		}
		if err != nil && fault.From(err).Code != fault.Internal {
			t.Errorf("%s: the caller is told %v", name, fault.From(err).Code)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestDenied_OtherErrors_AreNot(t *testing.T) {
	t.Parallel()
	db, a := embedded(t)
	c := stored(t, db)
	a.Faults().FailBefore("dynamodb:GetItem", attempts, nil)
	_, broken := db.Connection(t.Context(), c.Ref)
	c.ID = "conn_00000000000000000000000009"
	_, missing := db.Connection(t.Context(), c.Ref)
	for _, err := range []error{nil, broken, missing, errors.New("AccessDenied"), fmt.Errorf("x: %w", fault.New(fault.Forbidden, "no"))} {
		if dynamo.Denied(err) {
			t.Errorf("%v is taken for a refusal", err)
		}
	}
}
