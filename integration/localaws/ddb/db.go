package ddb

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// Options configure a DB.
type Options struct {
	Now             func() time.Time
	Region, Account string
	// Journal receives every applied change, nil for none. It is called in order, under the
	// lock of the DB, and must not call back.
	Journal func(kind string, record any)
	// Changed is called after records were added to a stream, without any lock held.
	Changed func()
}

// DB is a set of tables. It is safe for concurrent use.
type DB struct {
	opt    Options
	mu     sync.RWMutex
	tables map[string]*table
	tokens map[string]tokenUse
	oldest []string // tokens in order of use
	lag    int
	cache  expressionCache
}

// New returns an empty DB.
func New(o Options) *DB {
	if o.Journal == nil {
		o.Journal = func(string, any) {}
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	return &DB{opt: o, tables: map[string]*table{}, tokens: map[string]tokenUse{}}
}

// TableName strips a table ARN down to the name.
func TableName(nameOrARN string) string {
	if _, after, ok := strings.Cut(nameOrARN, ":table/"); ok {
		name, _, _ := strings.Cut(after, "/")
		return name
	}
	return nameOrARN
}

// find returns a table; the caller holds the lock.
func (d *DB) find(name string) (*table, error) {
	if t := d.tables[TableName(name)]; t != nil {
		return t, nil
	}
	return nil, awserr.New("ResourceNotFoundException", "Requested resource not found")
}

// Run executes a request and returns the JSON body of the answer. Errors are *awserr.Error.
func (d *DB) Run(r *Request) ([]byte, error) {
	switch r.op {
	case "GetItem":
		return d.getItem(r)
	case "PutItem", "UpdateItem", "DeleteItem":
		return d.writeItem(r)
	case "Query", "Scan":
		return d.query(r)
	case "TransactWriteItems":
		return d.transactWrite(r)
	case "TransactGetItems":
		return d.transactGet(r)
	case "BatchGetItem":
		return d.batchGet(r)
	case "BatchWriteItem":
		return d.batchWrite(r)
	}
	out, err := d.control(r)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

func (d *DB) control(r *Request) (any, error) {
	switch r.op {
	case "CreateTable":
		var s Spec
		if err := json.Unmarshal(r.body, &s); err != nil {
			return nil, awserr.New("SerializationException", "%v", err)
		}
		return d.createTable(s)
	case "DescribeTable":
		return d.describeTable(r.table)
	case "DeleteTable":
		return d.deleteTable(r.table)
	case "ListTables":
		return d.listTables(r.body)
	case "UpdateTimeToLive":
		return d.updateTTL(r)
	case "DescribeTimeToLive":
		return d.describeTTL(r)
	case "ListStreams", "DescribeStream", "GetShardIterator", "GetRecords":
		return d.streams(r)
	}
	return nil, awserr.Unknown("dynamodb:" + r.op)
}

func (d *DB) arn(table string) string {
	return "arn:aws:dynamodb:" + d.opt.Region + ":" + d.opt.Account + ":table/" + table
}

// uuid is a random version 4 identifier.
func uuid() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// expressionCache keeps compiled expressions by their text. It is emptied when it is full:
// a program has a bounded set of expression texts.
type expressionCache struct {
	mu sync.RWMutex
	m  map[expressionKey]*expression
}

type expressionKey struct{ what, src string }

const maxExpressions = 4096

func (c *expressionCache) get(what, src string) (*expression, error) {
	k := expressionKey{what, src}
	c.mu.RLock()
	e := c.m[k]
	c.mu.RUnlock()
	if e != nil {
		return e, nil
	}
	e, err := compile(what, src)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxExpressions {
		c.m = map[expressionKey]*expression{}
	}
	c.m[k] = e
	return e, nil
}

func compile(what, src string) (*expression, error) {
	switch what {
	case "UpdateExpression":
		return compileUpdate(src)
	case "ProjectionExpression":
		return compileProjection(src)
	}
	return compileCondition(what, src)
}

// bound holds the compiled expressions of one request with its names and values.
type bound struct {
	usage
	condition, update, keyCond, filter, proj *expression
}

// bind compiles and checks all expressions of a request.
func (d *DB) bind(r *Request) (*bound, error) {
	b := &bound{usage: usage{scope: scope{r.names, r.values}}}
	for _, x := range []struct {
		what, src string
		to        **expression
	}{
		{"KeyConditionExpression", r.keyCond, &b.keyCond}, {"FilterExpression", r.filter, &b.filter},
		{"ProjectionExpression", r.proj, &b.proj}, {"UpdateExpression", r.update, &b.update},
		{"ConditionExpression", r.condition, &b.condition},
	} {
		if x.src == "" && !r.has[x.what] {
			continue
		}
		e, err := d.cache.get(x.what, x.src)
		if err != nil {
			return nil, err
		}
		*x.to = e
		if err := b.bind(e); err != nil {
			return nil, err
		}
	}
	return b, b.unused()
}
