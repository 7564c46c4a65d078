// Package committed makes the copy of the synthesised templates that is committed under integration/stack/template.
//
// The local stack and the policy tests read that copy, so the roles and tables that they use are the ones that are deployed,
// and a change of a permission shows up in review as a change of that file. The copy is of stage "local" and free of what
// changes without meaning: asset hashes, CDK's paths and its bootstrap check. The canary's stack is committed under
// integration/policy/canary, for the tests only: the local stack does not run the canary.
package committed
