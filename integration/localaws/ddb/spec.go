package ddb

import (
	"encoding/json"
	"sort"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// KeyElement is one attribute of a key schema.
type KeyElement struct{ AttributeName, KeyType string }

// AttributeDefinition gives the type of a key attribute.
type AttributeDefinition struct{ AttributeName, AttributeType string }

// Projection tells which attributes an index keeps.
type Projection struct {
	ProjectionType   string   `json:",omitempty"`
	NonKeyAttributes []string `json:",omitempty"`
}

// IndexSpec describes a global secondary index.
type IndexSpec struct {
	IndexName  string
	KeySchema  []KeyElement
	Projection Projection
}

// StreamSpec turns a stream on.
type StreamSpec struct {
	StreamEnabled  bool
	StreamViewType string `json:",omitempty"`
}

// Spec is the part of CreateTable that matters here.
type Spec struct {
	TableName              string
	AttributeDefinitions   []AttributeDefinition
	KeySchema              []KeyElement
	GlobalSecondaryIndexes []IndexSpec         `json:",omitempty"`
	LocalSecondaryIndexes  []IndexSpec         `json:",omitempty"`
	StreamSpecification    *StreamSpec         `json:",omitempty"`
	BillingMode            string              `json:",omitempty"`
	ResourcePolicy         string              `json:",omitempty"`
	TimeToLive             *TimeToLiveSpec     `json:",omitempty"`
	SSESpecification       *json.RawMessage    `json:",omitempty"`
	DeletionProtection     bool                `json:"DeletionProtectionEnabled,omitempty"`
	ProvisionedThroughput  *map[string]any     `json:",omitempty"`
	Tags                   []map[string]string `json:",omitempty"`
}

// TimeToLiveSpec is the TimeToLiveSpecification of UpdateTimeToLive.
type TimeToLiveSpec struct {
	AttributeName string
	Enabled       bool
}

// indexes lists global and local indexes; both behave alike here.
func (s Spec) indexes() []IndexSpec {
	return append(append([]IndexSpec(nil), s.GlobalSecondaryIndexes...), s.LocalSecondaryIndexes...)
}

func (s Spec) indexNames() []string {
	var out []string
	for _, g := range s.GlobalSecondaryIndexes {
		out = append(out, g.IndexName)
	}
	for _, l := range s.LocalSecondaryIndexes {
		out = append(out, l.IndexName)
	}
	return out
}

func (s Spec) check() error {
	if n := len(s.TableName); n < 3 || n > 255 {
		return awserr.Validation("TableName must be at least 3 characters long and at most 255 characters long")
	}
	defined := map[string]bool{}
	for _, a := range s.AttributeDefinitions {
		switch a.AttributeType {
		case "S", "N", "B":
		default:
			return awserr.Validation("1 validation error detected: Value '%s' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]", a.AttributeType)
		}
		defined[a.AttributeName] = true
	}
	used := map[string]bool{}
	schemas := [][]KeyElement{s.KeySchema}
	for _, x := range s.indexes() {
		schemas = append(schemas, x.KeySchema)
	}
	for _, ks := range schemas {
		if len(ks) == 0 || len(ks) > 2 || ks[0].KeyType != "HASH" {
			return awserr.Validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
		}
		for _, k := range ks {
			used[k.AttributeName] = true
			if !defined[k.AttributeName] {
				return awserr.Validation("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]", k.AttributeName, "")
			}
		}
	}
	if len(used) != len(defined) {
		return awserr.Validation("One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return nil
}

// build creates the empty table.
func (s Spec) build() *table {
	t := &table{spec: s, base: newIndex("", s.KeySchema), gsi: map[string]*index{}, byID: map[string]*entry{}, types: map[string]Kind{}}
	for _, a := range s.AttributeDefinitions {
		t.types[a.AttributeName] = kindOf(a.AttributeType)
	}
	for _, g := range s.indexes() {
		x := newIndex(g.IndexName, g.KeySchema)
		if g.Projection.ProjectionType != "ALL" {
			x.keep = map[string]bool{}
			for _, n := range append(append(x.keyNames(), t.base.keyNames()...), g.Projection.NonKeyAttributes...) {
				x.keep[n] = true
			}
		}
		t.gsi[g.IndexName] = x
	}
	return t
}

// describe is the TableDescription of the API.
func (t *table) describe() map[string]any {
	s := t.spec
	mode := s.BillingMode
	if mode == "" {
		mode = "PROVISIONED"
	}
	d := map[string]any{
		"TableName": s.TableName, "TableStatus": "ACTIVE", "TableArn": t.arn, "TableId": t.id,
		"KeySchema": s.KeySchema, "AttributeDefinitions": s.AttributeDefinitions,
		"CreationDateTime": float64(t.created.Unix()), "ItemCount": len(t.byID), "TableSizeBytes": t.size,
		"BillingModeSummary":        map[string]any{"BillingMode": mode},
		"DeletionProtectionEnabled": s.DeletionProtection,
		"ProvisionedThroughput":     map[string]any{"ReadCapacityUnits": 0, "WriteCapacityUnits": 0, "NumberOfDecreasesToday": 0},
	}
	if len(s.GlobalSecondaryIndexes) > 0 {
		d["GlobalSecondaryIndexes"] = t.describeIndexes(s.GlobalSecondaryIndexes)
	}
	if len(s.LocalSecondaryIndexes) > 0 {
		d["LocalSecondaryIndexes"] = t.describeIndexes(s.LocalSecondaryIndexes)
	}
	if t.stream != nil {
		d["StreamSpecification"] = s.StreamSpecification
		d["LatestStreamArn"], d["LatestStreamLabel"] = t.stream.arn, t.stream.label
	}
	return d
}

func (t *table) describeIndexes(specs []IndexSpec) []map[string]any {
	var out []map[string]any
	for _, g := range specs {
		n := 0
		for _, p := range t.gsi[g.IndexName].parts {
			n += len(p)
		}
		out = append(out, map[string]any{"IndexName": g.IndexName, "KeySchema": g.KeySchema, "Projection": g.Projection,
			"IndexStatus": "ACTIVE", "IndexArn": t.arn + "/index/" + g.IndexName, "ItemCount": n})
	}
	sort.Slice(out, func(i, j int) bool { return out[i]["IndexName"].(string) < out[j]["IndexName"].(string) })
	return out
}
