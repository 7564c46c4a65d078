package e2e_test

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/integration/e2e"
)

// scan reads a table as the account's owner; pk limits it to one partition.
func scan(t *testing.T, f *e2e.Fixture, table, pk string) []map[string]types.AttributeValue {
	t.Helper()
	var out []map[string]types.AttributeValue
	p := dynamodb.NewScanPaginator(dynamodb.NewFromConfig(f.Operator()), &dynamodb.ScanInput{TableName: aws.String("behalf-local-" + table)})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			if s, ok := i["pk"].(*types.AttributeValueMemberS); pk == "" || ok && s.Value == pk {
				out = append(out, i)
			}
		}
	}
	return out
}

// portOf is the port of a URL.
func portOf(t *testing.T, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}
