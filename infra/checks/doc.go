// Package checks holds other people's opinions of the synthesised templates: cfn-lint, which knows what CloudFormation accepts, and
// cdk-nag's AwsSolutions pack, which knows what AWS recommends. It is tests only. What they find is either repaired or
// listed in suppressed with a reason, and a suppression that nothing needs any more is an error.
//
// Both are installed, in pinned versions, into BEHALF_TEST_CACHE the first time, from PyPI and npm, so the tests run when asked:
//
//	BEHALF_TEMPLATE_CHECKS=1 go -C infra test ./checks
package checks
