package ddb

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// tokenWindow is how long a ClientRequestToken is remembered.
const tokenWindow = 10 * time.Minute

// tokenUse is a transaction that succeeded under a token.
type tokenUse struct {
	at     time.Time
	digest [sha256.Size]byte
}

func (d *DB) transactWrite(r *Request) ([]byte, error) {
	if err := r.checkCount(100); err != nil {
		return nil, err
	}
	bounds := make([]*bound, len(r.parts))
	for i, p := range r.parts {
		b, err := d.bind(p.req)
		if err != nil {
			return nil, err
		}
		bounds[i] = b
	}
	if err := d.distinct(r.parts, "Transaction request cannot include multiple operations on one item"); err != nil {
		return nil, err
	}
	var digest [sha256.Size]byte
	if r.token != "" {
		digest = r.digest()
	}
	d.mu.Lock()
	err := d.transact(r, bounds, digest)
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d.opt.Changed()
	return []byte("{}"), nil
}

// transact plans all items, then commits them or none; the caller holds the lock.
func (d *DB) transact(r *Request, bounds []*bound, digest [sha256.Size]byte) error {
	now := d.opt.Now()
	d.forgetTokens(now)
	if use, ok := d.tokens[r.token]; ok && r.token != "" {
		if use.digest != digest {
			return awserr.New("IdempotentParameterMismatchException", "Client specified a different request for the same client token")
		}
		return nil
	}
	changes := make([]change, len(r.parts))
	reasons := make([]*awserr.Error, len(r.parts))
	failed := false
	for i, p := range r.parts {
		c, err := d.plan(p.verb, p.req, bounds[i])
		if err != nil {
			if reasons[i] = reasonOf(err); reasons[i] == nil {
				return err
			}
			failed = true
		}
		changes[i] = c
	}
	if failed {
		return cancelled(reasons)
	}
	d.commit(changes)
	if r.token != "" {
		d.tokens[r.token] = tokenUse{now, digest}
		d.oldest = append(d.oldest, r.token)
	}
	return nil
}

// reasonOf tells whether an error cancels the transaction (and why) instead of refusing the request.
func reasonOf(err error) *awserr.Error {
	var p planned
	if errors.As(err, &p) {
		return &awserr.Error{Code: "ValidationError", Message: p.cause.Message}
	}
	var e *awserr.Error
	if errors.As(err, &e) && e.Code == "ConditionalCheckFailedException" {
		return &awserr.Error{Code: "ConditionalCheckFailed", Message: e.Message, Fields: e.Fields}
	}
	return nil
}

func cancelled(reasons []*awserr.Error) error {
	codes := make([]string, len(reasons))
	list := make([]map[string]any, len(reasons))
	for i, e := range reasons {
		codes[i], list[i] = "None", map[string]any{"Code": "None"}
		if e != nil {
			codes[i] = e.Code
			list[i] = map[string]any{"Code": e.Code, "Message": e.Message}
			maps.Copy(list[i], e.Fields)
		}
	}
	e := awserr.New("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	e.Fields = map[string]any{"CancellationReasons": list}
	return e
}

func (d *DB) forgetTokens(now time.Time) {
	for len(d.oldest) > 0 && now.Sub(d.tokens[d.oldest[0]].at) >= tokenWindow {
		delete(d.tokens, d.oldest[0])
		d.oldest = d.oldest[1:]
	}
}

// digest identifies the parameters of a transaction whatever the order of JSON members.
func (r *Request) digest() [sha256.Size]byte {
	b := make([]byte, 0, 1024)
	for _, p := range r.parts {
		q := p.req
		for _, s := range []string{p.verb, q.table, q.condition, q.update, q.onFailure} {
			b = appendString(b, s)
		}
		for _, n := range slices.Sorted(maps.Keys(q.names)) {
			b = appendString(appendString(b, n), q.names[n])
		}
		for _, it := range []Item{q.key, q.item, q.values} {
			b = appendSorted(b, it)
		}
	}
	return sha256.Sum256(b)
}

// appendSorted encodes an item with its names in order.
func appendSorted(b []byte, it Item) []byte {
	b = append(b, '{')
	for _, n := range slices.Sorted(maps.Keys(it)) {
		v := it[n]
		b = append(appendString(b, n), byte('0'+v.Kind))
		switch v.Kind {
		case M:
			b = appendSorted(b, v.M)
		case L:
			for i, x := range v.L {
				b = appendSorted(b, Item{itoa(i): x})
			}
		default:
			b = v.append(b)
		}
	}
	return append(b, '}')
}
