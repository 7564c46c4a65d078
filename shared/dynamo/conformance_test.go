package dynamo_test

import (
	"net/http"
	"testing"

	"behalf.dev/behalf/integration/contract/dynamolocal"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
	"behalf.dev/behalf/shared/storetest"
)

func TestStore_Conformance_Embedded(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store {
		db, _ := embedded(t)
		return db
	})
}

// The same against DynamoDB Local, so that the embedded one is not the only judge. Endpoint skips without
// BEHALF_DYNAMODB_LOCAL=1: it needs a download and Java.
func TestStore_Conformance_DynamoDBLocal(t *testing.T) {
	client := connect("local", "local", dynamolocal.Endpoint(t), http.DefaultClient)
	t.Run("Store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Store { return tables(t, client) })
	})
	t.Run("Users", func(t *testing.T) {
		scimtest.RunStore(t, func(t *testing.T) scim.Store { return tables(t, client) })
	})
	t.Run("Groups", func(t *testing.T) {
		scimtest.RunGroupStore(t, func(t *testing.T) scim.GroupStore { return tables(t, client) })
	})
}
