// Package canary attacks the isolation of a running deployment, each hour, and counts what gets through.
//
// It proves on AWS what integration/policy proves on the templates. Handle vends credentials for two tenants of its own by the
// same code that serves customers (awssts), one set for each tenant role. With those of the first tenant it asks for what belongs
// to the second, to another principal, or to the deployment: items, batches and transactions with one foreign key, scans, SQL,
// indexes, tenant keys under foreign contexts and purposes, and roles under other tags. Each attempt is a request straight to AWS;
// no Behalf code is in the way. It also asks for what is its own, so that a policy that refuses everything does not look safe.
//
// The canary leaves nothing behind: writes carry a condition that no item meets. Its tenants are called _canary-a and _canary-b,
// which no customer can be called, and the roles' trust lets it be nobody else. The result is one line in the embedded metric
// format; the alarms on it are in infra/stacks/watch.go.
package canary
