package ddb

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"behalf.dev/behalf/integration/localaws/iam"
)

// Access lists what IAM must allow for a request (Service Authorization Reference, "Amazon
// DynamoDB"). Each item of a transaction is checked by its own action; a batch is checked once
// per table with the leading keys of all its items.
func (d *DB) Access(r *Request) []iam.Check {
	d.mu.RLock()
	defer d.mu.RUnlock()
	switch r.op {
	case "TransactWriteItems", "TransactGetItems":
		return d.transactAccess(r)
	case "BatchGetItem", "BatchWriteItem":
		return d.batchAccess(r)
	case "ListTables", "ListStreams":
		return []iam.Check{{Action: "dynamodb:" + r.op, Resource: "*"}}
	case "DescribeStream", "GetShardIterator", "GetRecords":
		arn, _, _ := strings.Cut(r.token, "|")
		return []iam.Check{{Action: "dynamodb:" + r.op, Resource: arn}}
	}
	c := d.check(r.op, r)
	if hash, ok := d.leading(r); ok {
		c.Context.Set("dynamodb:LeadingKeys", hash)
	}
	return []iam.Check{c}
}

func (d *DB) check(op string, r *Request) iam.Check {
	name := TableName(r.table)
	c := iam.Check{Action: "dynamodb:" + op, Resource: d.arn(name), Context: iam.Context{}}
	if r.index != "" {
		c.Resource += "/index/" + r.index
	}
	if t := d.tables[name]; t != nil {
		c.Policy = t.policy
	}
	if attrs := r.attributes(); len(attrs) > 0 {
		c.Context.Set("dynamodb:Attributes", attrs...)
	}
	if r.selection != "" {
		c.Context.Set("dynamodb:Select", r.selection)
	} else if r.proj != "" {
		c.Context.Set("dynamodb:Select", "SPECIFIC_ATTRIBUTES")
	}
	if r.returnValues != "" {
		c.Context.Set("dynamodb:ReturnValues", r.returnValues)
	}
	return c
}

func (d *DB) transactAccess(r *Request) []iam.Check {
	out := make([]iam.Check, 0, len(r.parts))
	for _, p := range r.parts {
		op := p.verb + "Item"
		if p.verb == "ConditionCheck" {
			op = "ConditionCheckItem"
		}
		c := d.check(op, p.req)
		c.Context.Set("dynamodb:EnclosingOperation", r.op)
		if hash, ok := d.leading(p.req); ok {
			c.Context.Set("dynamodb:LeadingKeys", hash)
		}
		out = append(out, c)
	}
	return out
}

func (d *DB) batchAccess(r *Request) []iam.Check {
	byTable := map[string]int{}
	var out []iam.Check
	for _, p := range r.parts {
		i, ok := byTable[p.req.table]
		if !ok {
			i = len(out)
			byTable[p.req.table] = i
			out = append(out, d.check(r.op, p.req))
		}
		// A key without a hash value adds an empty leading key: it must not slip through ForAllValues.
		hash, _ := d.leading(p.req)
		c := out[i].Context
		c.Set("dynamodb:LeadingKeys", append(c["dynamodb:leadingkeys"], hash)...)
		attrs := append(c["dynamodb:attributes"], p.req.attributes()...)
		slices.Sort(attrs)
		c.Set("dynamodb:Attributes", slices.Compact(attrs)...)
	}
	return out
}

// leading is the hash key value that a request names: of its key, its item, or the equality of
// its key condition (of the index, for an index query).
func (d *DB) leading(r *Request) (string, bool) {
	t := d.tables[TableName(r.table)]
	if t == nil {
		return "", false
	}
	for _, m := range []Item{r.key, r.item} {
		if v, ok := m[t.base.hash]; ok {
			return v.text(), true
		}
	}
	if r.keyCond == "" {
		return "", false
	}
	x := t.base
	if r.index != "" {
		if x = t.gsi[r.index]; x == nil {
			return "", false
		}
	}
	e, err := d.cache.get("KeyConditionExpression", r.keyCond)
	if err != nil {
		return "", false
	}
	tests, err := keyTests(e.cond, scope{r.names, r.values})
	if err != nil {
		return "", false
	}
	for _, k := range tests {
		if k.name == x.hash && k.op == "=" && len(k.values) == 1 && k.values[0].Kind.ordered() {
			return k.values[0].text(), true
		}
	}
	return "", false
}

// text is a key value as condition keys show it.
func (v Value) text() string {
	if v.Kind == B {
		return base64.StdEncoding.EncodeToString([]byte(v.Str))
	}
	return v.Str
}

// attributes lists the top-level attributes that a request names.
func (r *Request) attributes() []string {
	set := map[string]bool{}
	for _, m := range []Item{r.key, r.item} {
		for n := range m {
			set[n] = true
		}
	}
	for _, src := range []string{r.proj, r.update, r.condition, r.filter, r.keyCond} {
		if src == "" {
			continue
		}
		p := newParser("", src)
		for i, t := range p.toks {
			if name, ok := attributeToken(p.toks, i, t.text, r.names); ok {
				set[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// attributeToken tells whether a token starts a document path.
func attributeToken(toks []token, i int, t string, names map[string]string) (string, bool) {
	if i > 0 && toks[i-1].text == "." || i+1 < len(toks) && toks[i+1].text == "(" {
		return "", false
	}
	if t[0] == '#' {
		n, ok := names[t]
		return n, ok
	}
	first := t[0] >= 'a' && t[0] <= 'z' || t[0] >= 'A' && t[0] <= 'Z'
	return t, first && !reservedWord(t)
}
