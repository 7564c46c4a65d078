package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"behalf.dev/behalf/shared/audit"
)

func row(format int) events.DynamoDBEventRecord {
	return events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{NewImage: map[string]events.DynamoDBAttributeValue{
		"pk": events.NewStringAttribute("T#acme#A#2026112212"), "doc": events.NewStringAttribute(fmt.Sprintf(`{"id":"aud_1","format":%d,"new":"x"}`, format))}}}
}

// A record sealed without fields that the sealer does not know would look changed to every verifier that knows them.
func TestRecordOf_NewerFormat_IsNotSealed(t *testing.T) {
	t.Parallel()
	if r, ok, err := recordOf(row(audit.Format)); !ok || err != nil || r.ID != "aud_1" {
		t.Errorf("%+v %v %v", r, ok, err)
	}
	if _, ok, err := recordOf(row(audit.Format + 1)); ok || err == nil || !strings.Contains(err.Error(), "as new as its writer") {
		t.Errorf("%v %v", ok, err)
	}
}
