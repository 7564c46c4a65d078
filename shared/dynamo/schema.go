package dynamo

// Table describes one table for the CDK app; it is the only place where the schema is written down.
type Table struct {
	// Name is the short name ("vault"); the physical name is made by the deployment.
	Name string
	// PartitionKey and SortKey are string attributes.
	PartitionKey, SortKey string
	// TTL is the epoch-seconds attribute DynamoDB may delete by; empty when nothing in the table expires.
	TTL string
	// Stream tells whether new images are streamed.
	Stream bool
	// Indexes are the global secondary indexes, all keys-only and sparse.
	Indexes []Index
}

// Index is a keys-only global secondary index with a string partition key and a number sort key.
type Index struct{ Name, PartitionKey, SortKey string }

// Attribute and index names that both the schema and the requests use.
const (
	attrPK = "pk"
	attrSK = "sk"
	// AttrTTL is the time-to-live attribute, in epoch seconds. It is always checked in code too: DynamoDB deletes late.
	AttrTTL = "ttl"
	// IndexDue lists connections by when they want attention: refresh, keep-alive or expiry of a pending link.
	IndexDue  = "due"
	attrDueK  = "dk"
	attrDueAt = "da"
)

// Schema is the four tables: vault (connections, secret slots, wrapped keys, OAuth clients), directory (tenants, users,
// key hashes), flow (one-time things) and audit (append-only).
func Schema() []Table {
	return []Table{
		{Name: "vault", PartitionKey: attrPK, SortKey: attrSK, Indexes: []Index{{IndexDue, attrDueK, attrDueAt}}},
		{Name: "directory", PartitionKey: attrPK, SortKey: attrSK},
		{Name: "flow", PartitionKey: attrPK, SortKey: attrSK, TTL: AttrTTL},
		{Name: "audit", PartitionKey: attrPK, SortKey: attrSK, TTL: AttrTTL, Stream: true},
	}
}
