// Package eventbridge is a small EventBridge: buses, rules with event patterns, targets, and
// the schedules of EventBridge Scheduler. It decides who gets what; the front handler delivers.
package eventbridge
