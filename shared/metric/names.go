package metric

// Namespace is CloudWatch's, for all metrics of a deployment.
const Namespace = "Behalf"

// Dimensions. Stage stands with every metric.
const (
	Stage     = "Stage"
	Connector = "Connector"
	Outcome   = "Outcome"
)

// Name is one metric.
type Name string

// The metrics. Units are CloudWatch's.
const (
	// Refreshes counts refreshes by how they ended: a connection.RefreshStatus, or "failed" when our side did.
	Refreshes Name = "Refreshes"
	// RefreshFailures is 100 for a refresh that brought no tokens and 0 for one that did, so that its average is a rate.
	RefreshFailures Name = "RefreshFailures"
	// Reauthorizations is 100 for a refresh that found the grant dead, 0 for one that did not.
	Reauthorizations Name = "Reauthorizations"
	// RefreshLag is from when a refresh was due to when its tokens were stored, in seconds.
	RefreshLag Name = "RefreshLag"
	// TokenRequests counts requests to token endpoints by what the answer meant: a catalog.OutcomeKind, or "no_answer".
	TokenRequests Name = "TokenRequests"
	// TokenMints counts access tokens made from something long-lived, by connector and by what came of it, as TokenRequests.
	TokenMints Name = "TokenMints"
	// TokenLatency is how long a token endpoint took, in milliseconds.
	TokenLatency Name = "TokenLatency"
	// RefreshesKeptOff counts refreshes that were put off to spare a provider: "circuit_open" or "rate_limited".
	RefreshesKeptOff Name = "RefreshesKeptOff"
	// Rescues counts token sets that the store did not take at first: "queued", "stored" or "failed".
	Rescues Name = "Rescues"
	// Sweeps counts sweeps that read every shard to its end; SweepsCutShort those that ran out of time.
	Sweeps         Name = "Sweeps"
	SweepsCutShort Name = "SweepsCutShort"
	// Due is how many connections a sweep found due; DueOldest how long the first of them has been, in seconds.
	Due       Name = "Due"
	DueOldest Name = "DueOldest"
	// Executions counts tool calls: "succeeded", or the fault code.
	Executions Name = "Executions"

	// What the isolation canary found in one run.
	AttacksTried   Name = "AttacksTried"
	AttacksAllowed Name = "AttacksAllowed"
	OwnRefused     Name = "OwnRefused"
	Unclear        Name = "Unclear"
)

// Names lists all metrics.
func Names() []Name {
	return []Name{Refreshes, RefreshFailures, Reauthorizations, RefreshLag, TokenRequests, TokenMints, TokenLatency, RefreshesKeptOff, Rescues, Sweeps, SweepsCutShort, Due, DueOldest, Executions,
		AttacksTried, AttacksAllowed, OwnRefused, Unclear}
}

// definition is a metric's unit, and the sets of dimensions beside Stage under which CloudWatch keeps it.
type definition struct {
	unit string
	sets [][]string
}

// counted reports that values are added up before they are written.
func (d definition) counted() bool { return d.unit == count }

const count = "Count"

func define(n Name) definition {
	whole := []string{}
	switch n {
	case Refreshes, Executions, TokenRequests, TokenMints, RefreshesKeptOff:
		return definition{count, [][]string{{Outcome}, {Connector, Outcome}}}
	case RefreshFailures, Reauthorizations:
		return definition{"Percent", [][]string{whole, {Connector}}}
	case RefreshLag:
		return definition{"Seconds", [][]string{whole, {Connector}}}
	case TokenLatency:
		return definition{"Milliseconds", [][]string{whole, {Connector}}}
	case Rescues:
		return definition{count, [][]string{whole, {Outcome}}}
	case DueOldest:
		return definition{"Seconds", [][]string{whole}}
	}
	return definition{count, [][]string{whole}}
}
