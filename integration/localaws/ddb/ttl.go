package ddb

import "strconv"

// SweepTTL deletes the items whose time to live has passed and returns how many. Deletions
// appear in streams with the service as identity, as on AWS.
func (d *DB) SweepTTL() int {
	d.mu.Lock()
	now := d.opt.Now().Unix()
	var due []change
	for _, t := range d.tables {
		if t.ttl == "" {
			continue
		}
		for id, e := range t.byID {
			if expired(e.item[t.ttl], now) {
				due = append(due, change{table: t, id: id, old: e.item, write: true, expired: true})
			}
		}
	}
	if len(due) > 0 {
		d.commit(due)
	}
	d.mu.Unlock()
	if len(due) > 0 {
		d.opt.Changed()
	}
	return len(due)
}

// fiveYears: DynamoDB ignores a TTL that lies further in the past.
const fiveYears = 5 * 365 * 24 * 3600

func expired(v Value, now int64) bool {
	if v.Kind != N {
		return false
	}
	at, err := strconv.ParseFloat(v.Str, 64)
	return err == nil && int64(at) < now && int64(at) > now-fiveYears
}
