// Package audit seals the audit stream.
//
// It receives new audit rows from the table's stream, in order and at least once, groups them by tenant and appends one
// segment per tenant to that tenant's hash chain. It reads nothing but the rows it is given and the end of the chain.
package audit
