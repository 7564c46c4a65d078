package refresh

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
)

// How much one sweep takes: perShard bounds its memory, and what is left stays due and is met by the next one; sweepers
// shards are read side by side, senders messages are on their way for each.
const perShard, perMessage, sweepers, senders = 5000, 25, 4, 8

// Due reads one shard of the due index; dynamo.DB implements it.
type Due interface {
	Due(ctx context.Context, shard int, now time.Time, limit int) ([]connection.Ref, error)
}

// Sender queues one message; awssqs.Queue implements it.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// Sweep queues what is due at now, and returns how much that was. A shard that cannot be read does not stop the others;
// the first error is returned.
func Sweep(ctx context.Context, index Due, queue Sender, now time.Time) (int, error) {
	var total atomic.Int64
	var g errgroup.Group
	g.SetLimit(sweepers)
	for shard := range dynamo.DueShards() {
		g.Go(func() error {
			refs, err := index.Due(ctx, shard, now, perShard)
			if err != nil {
				return fmt.Errorf("sweep shard %d: %w", shard, err)
			}
			total.Add(int64(len(refs)))
			return enqueue(ctx, queue, refs)
		})
	}
	err := g.Wait()
	return int(total.Load()), err
}

// enqueue groups by tenant, so that one message needs one set of credentials.
func enqueue(ctx context.Context, queue Sender, refs []connection.Ref) error {
	byTenant := map[tenant.ID][]contract.Ref{}
	for _, r := range refs {
		byTenant[r.Tenant] = append(byTenant[r.Tenant], awslambda.RefOf(r))
	}
	var g errgroup.Group
	g.SetLimit(senders)
	for _, list := range byTenant {
		for len(list) > 0 {
			part := list[:min(perMessage, len(list))]
			list = list[len(part):]
			g.Go(func() error { return queue.Send(ctx, contract.RefreshWork{Connections: part}, 0) })
		}
	}
	return g.Wait()
}

func (f *Function) sweep(ctx context.Context) (int, error) {
	total, err := Sweep(ctx, f.due, f.queue, f.deps.Now())
	if total > 0 {
		f.deps.Log.InfoContext(ctx, "swept", "due", total)
	}
	return total, err
}
