// Package metric measures what an operator must see, in CloudWatch's embedded metric format: a JSON line in a function's
// log, which CloudWatch Logs turns into metrics (CloudWatch User Guide, "Specification: Embedded metric format"). It needs
// no permission and no request, and costs the line.
//
// A Meter collects while a function works and writes on Flush, at the end of an invocation: counts as one sum, the rest value
// by value, so that percentiles are true. Each metric has fixed dimensions out of stage, connector and outcome, which are
// closed sets. A tenant is no dimension: CloudWatch sells metrics by the combination, and a metric is read by more people
// than a log is.
package metric
