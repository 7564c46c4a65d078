// Package callback is everything about connecting an account: the link, the page, the provider's redirect, the
// confirmation; and the OAuth clients that it needs.
//
// It assumes the connect role for one tenant and one principal. A request that only carries a link's secret is looked up
// first under a pseudo principal that owns nothing, which can read the tenant's links; the link then says whose it is.
package callback
