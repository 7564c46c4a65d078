package refresh

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
)

// maxListed bounds a page of the list.
const maxListed = 200

// position is the last one of a page. Order is by time, then by shard, then as the index has it.
type position struct {
	At    int64        `json:"at"`
	Shard int          `json:"shard"`
	Ref   contract.Ref `json:"ref"`
}

// in is where a shard goes on behind p.
func (p *position) in(shard int) (connection.Due, error) {
	if p == nil {
		return connection.Due{}, nil
	}
	at := time.Unix(p.At, 0)
	switch {
	case shard < p.Shard: // it is through with that second
		return connection.Due{At: at.Add(time.Second)}, nil
	case shard > p.Shard:
		return connection.Due{At: at}, nil
	}
	ref, err := awslambda.ParseRef(p.Ref)
	return connection.Due{Ref: ref, At: at}, err
}

func parsePosition(s string) (*position, error) {
	if s == "" {
		return nil, nil
	}
	p := &position{}
	if err := json.Unmarshal([]byte(s), p); err != nil || p.At <= 0 || p.Shard < 0 || p.Shard >= dynamo.DueShards() {
		return nil, fault.Invalid("cursor", "this cursor is not one of ours; leave it out to start over")
	}
	return p, nil
}

// placed is a connection with its place in the order of all.
type placed struct {
	connection.Due
	shard int
}

// list answers what is due, for an operator: whose, not what. The caller reads the connections with the rights it has itself.
func (f *Function) list(ctx context.Context, q contract.DueQuery) contract.DueAnswer {
	until := f.deps.Now().Add(time.Duration(q.WithinMS) * time.Millisecond)
	a, err := ListDue(ctx, f.due, until, q.After, min(max(q.Limit, 1), maxListed))
	if err != nil {
		f.deps.Log.ErrorContext(ctx, "list of what is due failed", "error", err)
		return contract.DueAnswer{Error: awslambda.Failure(err)}
	}
	return a
}

// ListDue merges one page of all shards: what is due until then, the longest first, behind the Next of the page before. It returns
// fault.InvalidInput for an after that is not such a Next.
func ListDue(ctx context.Context, index Due, until time.Time, after string, limit int) (contract.DueAnswer, error) {
	from, err := parsePosition(after)
	if err != nil {
		return contract.DueAnswer{}, err
	}
	heads := make([][]placed, dynamo.DueShards())
	var g errgroup.Group
	g.SetLimit(sweepers)
	for shard := range heads {
		g.Go(func() (err error) {
			heads[shard], err = head(ctx, index, until, from, shard, limit)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return contract.DueAnswer{}, err
	}
	all := slices.Concat(heads...)
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.shard, b.shard)) })
	out := contract.DueAnswer{Due: []contract.DueRef{}}
	for _, p := range all[:min(limit, len(all))] {
		out.Due = append(out.Due, contract.DueRef{Ref: awslambda.RefOf(p.Ref), At: p.At})
	}
	if len(all) > limit {
		last := all[limit-1]
		next, err := json.Marshal(position{last.At.Unix(), last.shard, awslambda.RefOf(last.Ref)})
		if err != nil {
			return contract.DueAnswer{}, err
		}
		out.Next = string(next)
	}
	return out, nil
}

// head reads the first limit+1 of one shard behind from: one more than fits tells that there is more.
func head(ctx context.Context, index Due, until time.Time, from *position, shard, limit int) (out []placed, err error) {
	after, err := from.in(shard)
	if err != nil {
		return nil, fault.Invalid("cursor", "this cursor is not one of ours; leave it out to start over").WithCause(err)
	}
	for len(out) <= limit {
		page, err := index.Due(ctx, shard, until, after, limit+1-len(out))
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			out = append(out, placed{d, shard})
		}
		after = page[len(page)-1]
	}
	return out, nil
}
