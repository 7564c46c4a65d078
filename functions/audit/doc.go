// Package audit seals the audit stream.
//
// It receives new audit rows from the table's stream, in order and at least once, groups them by tenant and appends one
// segment per tenant to that tenant's hash chain. Then it copies the segment into a bucket under Object Lock, where nobody who
// can write the table can change it: a chain that was rebuilt in the table from end to end no longer agrees with its copy. It
// reads nothing but the rows it is given, the end of the chain, and its own copy when it finds one already there.
package audit
