// Package emulator answers like GitHub, Slack, Salesforce, Linear, Gmail and
// HubSpot, like BigQuery, Snowflake, Stripe and Zendesk, where people make keys
// themselves, and like GitHub to an app that is installed, so that an adopter (and Behalf's own demo and tests) can run real OAuth 2.0
// authorization-code flows with PKCE and real API calls without a vendor
// account.
//
// A mock that answers every token request with a fresh token proves nothing:
// connections die in production because providers rotate refresh tokens, answer
// 200 with an error, leave out expires_in, cut a connection after rotating. So
// each dialect here reproduces those habits, and faults can be ordered by name.
//
// # Flow
//
// One [Server] mounts every provider under a prefix; below the prefix the paths
// are the provider's own:
//
//	/github/login/oauth/authorize      page; POST login=alice&decision=approve
//	/github/login/oauth/access_token   code and refresh exchange
//	/github/api/user                   stands for https://api.github.com/user
//	/slack/oauth/v2/authorize          /slack/api/oauth.v2.access, /slack/api/...
//	/salesforce/services/oauth2/...    API below /salesforce/instances/{org}/...
//	/snowflake/{account}/api/v2/...    stands for https://{account}.snowflakecomputing.com
//	/_emulator/...                     registration, observation and faults;
//	                                   POST .../{provider}/credential makes a key
//
// A request passes engine.go in this order: parse, identify whose token it
// carries, pick an ordered fault, wait (outside the lock), process under the
// provider's lock, write one line to the call log, answer (or cut).
//
// # What is kept
//
// Tokens, codes and client secrets are held only as SHA-256 hashes; the
// observation API shows a 12-digit prefix of that hash, never a token. With
// Options.Dir clients and grants survive a restart, equally as hashes. API data
// (issues, messages, records) lives in memory only.
//
// # Adding a provider
//
// Write one file with a type that has the three methods of dialect, and name it
// in the dialects function.
//
// The sources of each habit are cited beside it, with how well it is known:
// "doc" (provider page seen), "reported" (issue or public code), "assumed"
// (general knowledge, or the provider does not say).
package emulator
