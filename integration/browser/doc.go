// Package browser walks through the pages that people see in a real Chromium: the connect flow against the emulators and
// against a real OAuth server, the attacks on it that need a browser, the choice of a place, the consent page of MCP logins, and the portal; in both colour schemes, on a
// phone's width, and under axe's accessibility rules.
//
// The tests run when BEHALF_BROWSER=1 (make test-browser). They use the machine's Chromium, or the one that BEHALF_CHROMIUM
// names; as root on Debian they install it. Screenshots are kept in build/screenshots, to be looked at. Each test plays the
// product as well (saas): a site of another origin with a signed-in user of its own, which confirms whoever it sees.
package browser
