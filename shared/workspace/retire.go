package workspace

import (
	"context"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssqs"
	"behalf.dev/behalf/shared/connection"
)

// Retirer puts revoked connections on the revoke queue.
type Retirer struct{ Queue *awssqs.Queue }

// Retire queues ref, to be delivered after delay (at most 15 minutes).
func (r Retirer) Retire(ctx context.Context, ref connection.Ref, by string, delay time.Duration) error {
	return r.Queue.Send(ctx, events.RevokeWork{Connection: awslambda.RefOf(ref), By: by}, delay)
}
