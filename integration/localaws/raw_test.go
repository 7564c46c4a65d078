package localaws_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/localaws"
)

// BenchmarkGetItemRaw leaves the SDK out: the cost of the emulator alone.
func BenchmarkGetItemRaw(b *testing.B) {
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		b.Fatal(err)
	}
	key, _ := a.OperatorCredentials()
	send := func(op, body string) int {
		r := httptest.NewRequest(http.MethodPost, "http://x/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260101/us-east-1/dynamodb/aws4_request")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w.Code
	}
	send("CreateTable", `{"TableName":"bench","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]}`)
	send("PutItem", `{"TableName":"bench","Item":{"pk":{"S":"a"},"status":{"S":"active"},"n":{"N":"12"},"b":{"B":"`+strings.Repeat("QUJD", 200)+`"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if send("GetItem", `{"TableName":"bench","Key":{"pk":{"S":"a"}}}`) != 200 {
			b.Fatal("not answered")
		}
	}
}
