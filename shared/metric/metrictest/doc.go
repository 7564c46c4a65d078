// Package metrictest judges log lines by the rules of the embedded metric format, which CloudWatch applies in silence: a line
// that breaks one becomes no metric, and nobody is told.
package metrictest
