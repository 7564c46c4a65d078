package authorizer

import (
	"encoding/json"

	"github.com/aws/aws-lambda-go/events"

	"behalf.dev/behalf/shared/fault"
)

// maxAnswer bounds an answer in bytes. AWS names no limit of its own for REST APIs below Lambda's 6 MB, and none for the length
// of an STS session token; ours is twice what the largest session on behalf of a user comes to (see the test), so that a
// token of unforeseen length ends in words and not in a gateway's 500.
const maxAnswer = 32 << 10

// fits refuses an answer that is larger than maxAnswer, with what the caller can do: what varies with the caller is the
// session's own limits.
func fits(a events.APIGatewayCustomAuthorizerResponse) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if len(b) > maxAnswer {
		return fault.New(fault.Unauthenticated, "what this session may do, and the credentials for it, take %d bytes of at most %d; create a session that names fewer connectors and tools", len(b), maxAnswer)
	}
	return nil
}
