// Package policy decides, before a provider is called, whether a tenant wants the call made.
//
// A tenant's Document holds rules (who, which agent, which tool, which effect), budgets, and optionally Cedar policies for
// what depends on the arguments. Switches stand apart: they stop an agent, a connector, a tool or the tenant at once, and
// are read with every call. The order is always the same:
//
//	switches    off is off
//	rules       a deny that matches; then, where the default is deny, an allow that matches
//	Cedar       forbid and permit, deny by default, deny on error
//	approval    rules and Cedar policies that let a call pass only after a person approved it
//	budgets     counted by whoever makes the call
//
// The package is pure: it reads no clock and no store. A Policy is compiled once per revision and kept.
package policy
