package ddb

import (
	"encoding/json"
	"sort"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// Create makes a table if it does not exist yet and reports whether it did.
// An existing table keeps its items; its TTL attribute and resource policy are replaced.
func (d *DB) Create(s Spec) (created bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.tables[s.TableName]; t != nil {
		t.setTTL(s.TimeToLive)
		return false, t.setPolicy(s.ResourcePolicy)
	}
	_, err = d.create(s)
	return err == nil, err
}

func (d *DB) createTable(s Spec) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.create(s)
	if err != nil {
		return nil, err
	}
	return map[string]any{"TableDescription": t.describe()}, nil
}

// createRecord is the journal form of a table.
type createRecord struct {
	Spec    Spec
	ID      string
	Created int64 // Unix nanoseconds
	Seq     int64 // last stream sequence number
}

func (d *DB) create(s Spec) (*table, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if d.tables[s.TableName] != nil {
		return nil, awserr.New("ResourceInUseException", "Table already exists: %s", s.TableName)
	}
	if err := (&table{}).setPolicy(s.ResourcePolicy); err != nil {
		return nil, err
	}
	rec := createRecord{Spec: s, ID: uuid(), Created: d.opt.Now().UnixNano()}
	d.opt.Journal("table", rec)
	return d.install(rec), nil
}

func (t *table) setTTL(s *TimeToLiveSpec) {
	t.ttl = ""
	t.spec.TimeToLive = s
	if s != nil && s.Enabled {
		t.ttl = s.AttributeName
	}
}

func (d *DB) describeTable(name string) (any, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t := d.tables[TableName(name)]
	if t == nil {
		return nil, awserr.New("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
	}
	return map[string]any{"Table": t.describe()}, nil
}

func (d *DB) deleteTable(name string) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tables[TableName(name)]
	if t == nil {
		return nil, awserr.New("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
	}
	if t.spec.DeletionProtection {
		return nil, awserr.Validation("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	delete(d.tables, t.spec.TableName)
	d.opt.Journal("drop", t.spec.TableName)
	out := t.describe()
	out["TableStatus"] = "DELETING"
	return map[string]any{"TableDescription": out}, nil
}

func (d *DB) listTables(body []byte) (any, error) {
	var q struct {
		Limit                   int
		ExclusiveStartTableName string
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, awserr.New("SerializationException", "%v", err)
	}
	d.mu.RLock()
	names := []string{}
	for n := range d.tables {
		if n > q.ExclusiveStartTableName {
			names = append(names, n)
		}
	}
	d.mu.RUnlock()
	sort.Strings(names)
	out := map[string]any{"TableNames": names}
	if q.Limit > 0 && len(names) > q.Limit {
		out["TableNames"], out["LastEvaluatedTableName"] = names[:q.Limit], names[q.Limit-1]
	}
	return out, nil
}

func (d *DB) updateTTL(r *Request) (any, error) {
	var q struct{ TimeToLiveSpecification *TimeToLiveSpec }
	if err := json.Unmarshal(r.body, &q); err != nil || q.TimeToLiveSpecification == nil {
		return nil, awserr.Validation("TimeToLiveSpecification is required")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.find(r.table)
	if err != nil {
		return nil, err
	}
	if q.TimeToLiveSpecification.Enabled == (t.ttl != "") {
		state := "disabled"
		if t.ttl != "" {
			state = "enabled"
		}
		return nil, awserr.Validation("TimeToLive is already %s", state)
	}
	t.setTTL(q.TimeToLiveSpecification)
	d.opt.Journal("ttl", ttlRecord{t.spec.TableName, q.TimeToLiveSpecification})
	return map[string]any{"TimeToLiveSpecification": q.TimeToLiveSpecification}, nil
}

type ttlRecord struct {
	Table string
	TTL   *TimeToLiveSpec
}

func (d *DB) describeTTL(r *Request) (any, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t, err := d.find(r.table)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if t.ttl != "" {
		out = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": t.ttl}
	}
	return map[string]any{"TimeToLiveDescription": out}, nil
}

// setPolicy replaces the resource policy; an empty document removes it.
func (t *table) setPolicy(document string) error {
	t.spec.ResourcePolicy, t.policy = document, nil
	if document == "" {
		return nil
	}
	p, err := iam.Parse("resource policy of "+t.spec.TableName, []byte(document))
	if err != nil {
		return awserr.Validation("%v", err)
	}
	t.policy = p
	return nil
}
