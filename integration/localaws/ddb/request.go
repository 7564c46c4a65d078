package ddb

import (
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// Request is one decoded DynamoDB call.
type Request struct {
	op   string
	body []byte // undecoded, for the control plane

	table, index                              string
	condition, update, keyCond, filter, proj  string
	has                                       map[string]bool // expression parameters present
	returnValues, onFailure, token, selection string
	names                                     map[string]string
	values                                    Item
	item, key, startKey                       Item
	limit, segment, segments                  int
	hasLimit, backward, consistent            bool
	parts                                     []part
}

// part is one item of a transaction or batch.
type part struct {
	verb string // Get Put Update Delete ConditionCheck
	req  *Request
}

// Parse decodes the body of an operation ("GetItem"). The error is a SerializationException
// or, for malformed attribute values, a ValidationException.
func Parse(op string, body []byte) (*Request, error) {
	r := &Request{op: op, body: body}
	switch op {
	case "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan":
		return r, r.decode(&cursor{b: body})
	case "TransactWriteItems", "TransactGetItems":
		return r, r.decodeTransaction(&cursor{b: body})
	case "BatchGetItem", "BatchWriteItem":
		return r, r.decodeBatch(&cursor{b: body})
	}
	c := cursor{b: body}
	return r, c.object(func(k []byte) (err error) {
		switch string(k) {
		case "TableName":
			r.table, err = c.str()
		case "StreamArn", "ShardIterator":
			r.token, err = c.str()
		default:
			err = c.skip()
		}
		return err
	})
}

func (r *Request) decode(c *cursor) error {
	return c.object(func(k []byte) error { return r.field(c, string(k)) })
}

func (r *Request) field(c *cursor, k string) (err error) {
	switch k {
	case "TableName":
		r.table, err = c.str()
	case "Key":
		r.key, err = c.item()
	case "Item":
		r.item, err = c.item()
	case "ExclusiveStartKey":
		r.startKey, err = c.item()
	case "ExpressionAttributeValues":
		r.values, err = c.item()
	case "ExpressionAttributeNames":
		r.names, err = c.stringMap()
	case "ConsistentRead":
		r.consistent, err = c.boolean()
	case "ScanIndexForward":
		var forward bool
		forward, err = c.boolean()
		r.backward = !forward
	case "Limit":
		r.hasLimit = true
		r.limit, err = c.integer()
	case "Segment":
		r.segment, err = c.integer()
	case "TotalSegments":
		r.segments, err = c.integer()
	case "ReturnConsumedCapacity", "ReturnItemCollectionMetrics":
		err = c.skip() // capacity is not simulated
	default:
		err = r.textField(c, k)
	}
	return err
}

func (r *Request) textField(c *cursor, k string) error {
	var to *string
	switch k {
	case "ConditionExpression":
		to = &r.condition
	case "UpdateExpression":
		to = &r.update
	case "KeyConditionExpression":
		to = &r.keyCond
	case "FilterExpression":
		to = &r.filter
	case "ProjectionExpression":
		to = &r.proj
	case "IndexName":
		to = &r.index
	case "ReturnValues":
		to = &r.returnValues
	case "ReturnValuesOnConditionCheckFailure":
		to = &r.onFailure
	case "ClientRequestToken":
		to = &r.token
	case "Select":
		to = &r.selection
	default:
		// Refused rather than ignored: the legacy parameters would change the meaning.
		return &awserr.Error{Code: "UnknownOperationException", Status: 501, Message: "not implemented by the embedded AWS: parameter " + k}
	}
	if c.null() {
		return nil
	}
	s, err := c.text()
	*to = string(s)
	if err == nil && strings.HasSuffix(k, "Expression") {
		if r.has == nil {
			r.has = make(map[string]bool, 2)
		}
		r.has[k] = true
	}
	return err
}

func (c *cursor) stringMap() (map[string]string, error) {
	if c.null() {
		return nil, nil
	}
	m := make(map[string]string, 4)
	err := c.object(func(k []byte) error {
		name := string(k)
		v, err := c.str()
		m[name] = v
		return err
	})
	return m, err
}

func (r *Request) decodeTransaction(c *cursor) error {
	return c.object(func(k []byte) error {
		if string(k) != "TransactItems" {
			return r.field(c, string(k))
		}
		return c.array(func() error {
			n := len(r.parts)
			err := c.object(func(verb []byte) error {
				p := part{verb: string(verb), req: &Request{}}
				if c.null() {
					return nil
				}
				err := p.req.decode(c)
				r.parts = append(r.parts, p)
				return err
			})
			if err == nil && len(r.parts) != n+1 {
				err = awserr.Validation("TransactItems can only contain one of Check, Put, Update or Delete")
			}
			return err
		})
	})
}

func (r *Request) decodeBatch(c *cursor) error {
	return c.object(func(k []byte) error {
		if string(k) != "RequestItems" {
			return r.field(c, string(k))
		}
		return c.object(func(name []byte) error {
			table := string(name)
			if r.op == "BatchGetItem" {
				return r.decodeGets(c, table)
			}
			return c.array(func() error {
				return c.object(func(kind []byte) error {
					p := part{verb: strings.TrimSuffix(string(kind), "Request"), req: &Request{table: table}}
					r.parts = append(r.parts, p)
					return p.req.decode(c)
				})
			})
		})
	})
}

// decodeGets reads one table of a BatchGetItem; the projection applies to all its keys.
func (r *Request) decodeGets(c *cursor, table string) error {
	shared := &Request{table: table}
	var keys []Item
	err := c.object(func(k []byte) error {
		if string(k) != "Keys" {
			return shared.field(c, string(k))
		}
		return c.array(func() error {
			it, err := c.item()
			keys = append(keys, it)
			return err
		})
	})
	for _, key := range keys {
		one := *shared
		one.key = key
		r.parts = append(r.parts, part{verb: "Get", req: &one})
	}
	return err
}
