package contract

import (
	"bytes"
	"encoding/json"
	"strings"
)

// knownDifference lists, in one place, where the embedded DynamoDB and DynamoDB Local may
// differ, and why. Where the two disagree the embedded one follows DynamoDB itself.
func knownDifference(op string, req object, want, got answer) bool {
	bothRefuse := want.status == 400 && got.status == 400
	switch {
	case bothRefuse && strings.Contains(got.message(), "cannot include multiple operations on one item"):
		return true // DynamoDB looks for duplicates first, Local after evaluating conditions
	case bothRefuse && want.code() == "IdempotentParameterMismatchException":
		return got.code() == "ValidationException" // the request is wrong in two ways; Local looks at the token first
	case op == "TransactGetItems" && bothRefuse && want.code() == "TransactionCanceledException":
		return got.code() == "ValidationException" // Local cancels for a malformed key, but without reasons
	case op == "TransactWriteItems" && bothRefuse && want.code() == "ValidationException":
		// When an update does not suit the stored item, DynamoDB cancels with the reason
		// ValidationError; Local refuses the whole request.
		reasons, err := json.Marshal(got.body["CancellationReasons"])
		return err == nil && bytes.Contains(reasons, []byte("ValidationError"))
	case op == "Query" && strings.Contains(want.message(), "does not match the range key predicate"):
		return got.status == 200 && got.body["Count"] == 0.0 // Local refuses to continue from the very end of a range
	case op == "UpdateItem" && want.status == 200 && got.status == 200:
		return nestedReturn(req)
	case op == "Scan" && req["IndexName"] == "keysOnly":
		return req["FilterExpression"] != nil // Local filters by attributes that the index does not have
	case op == "Query" && want.status == 200 && got.status == 200:
		// At the limit DynamoDB returns a key to continue from even when nothing follows; Local
		// looks ahead when the range ends there.
		want, got := clone(want), clone(got)
		_, more := want.body["LastEvaluatedKey"]
		delete(got.body, "LastEvaluatedKey")
		return !more && req["Limit"] != nil && compareExact(op, req, want, got)
	}
	return false
}

// nestedReturn: for UPDATED_OLD and UPDATED_NEW DynamoDB returns the nested places that the
// expression names, Local the whole top-level attribute.
func nestedReturn(req object) bool {
	mode, _ := req["ReturnValues"].(string)
	expr, _ := req["UpdateExpression"].(string)
	return strings.HasPrefix(mode, "UPDATED_") && strings.ContainsAny(expr, ".[")
}

func clone(a answer) answer {
	out := answer{status: a.status, body: map[string]any{}}
	for k, v := range a.body {
		out.body[k] = v
	}
	return out
}
