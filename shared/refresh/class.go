package refresh

import (
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
)

// class is how careful a refresh must be.
type class struct {
	rotation catalog.RotationClass
	// lease is longer than timeout plus the writes that follow.
	lease, timeout time.Duration
	// again is how often a refresh with an unknown outcome is repeated at once with the same token.
	again int
}

// minGrace is the shortest grace period within which a dead refresh can be found and repeated; below it a provider
// counts as strict.
const minGrace = 15 * time.Second

// patient is how long a provider may take that can be asked again. Shorter would repeat sooner after a lost answer, but never get
// one from an endpoint that always takes ten seconds, and a grace period would run out over it.
const patient = 14 * time.Second

// hasty is how long a provider with a grace period may take while that runs out, because its answer to an earlier request was lost,
// if there is time for one more request behind it. The last one is waited for patiently: nothing comes after it.
const hasty, hastyLease, hastyPause = 4 * time.Second, 7 * time.Second, 2 * time.Second

// pressed reports that an answer was lost, and that the token which was sent then can be sent now and once more.
func pressed(spec *catalog.Connector, c connection.Connection, now time.Time) bool {
	edge := c.Refresh.IntentAt.Add(time.Duration(spec.Rotation.GraceSeconds)*time.Second - graceEdge)
	return c.Refresh.IntentGeneration == c.Refresh.Generation+1 && !now.Add(hastyLease+hastyPause).After(edge)
}

// leaseOf is for how long a lease is taken at now.
func leaseOf(spec *catalog.Connector, c connection.Connection, now time.Time) time.Duration {
	k := classOf(spec, c)
	if k.rotation == catalog.RotationGrace && pressed(spec, c, now) {
		return min(k.lease, hastyLease)
	}
	return k.lease
}

// classOf is the connector's rotation class, corrected by what the provider was seen to do: a "static" provider that
// answered with a new refresh token is strict (Salesforce: the customer's administrator decides).
func classOf(spec *catalog.Connector, c connection.Connection) class {
	grace := time.Duration(spec.Rotation.GraceSeconds) * time.Second
	switch {
	case spec.Rotation.Class == catalog.RotationGrace && grace >= minGrace:
		lease := min(20*time.Second, grace-8*time.Second)
		return class{catalog.RotationGrace, lease, min(patient, lease-5*time.Second), 1}
	case spec.Rotation.Class == catalog.RotationStrict, spec.Rotation.Class == catalog.RotationGrace, c.Refresh.Rotates:
		return class{catalog.RotationStrict, 80 * time.Second, 60 * time.Second, 1}
	}
	return class{spec.Rotation.Class, 20 * time.Second, patient, 1}
}

// backoff is the pause after fails failures in a row: exponential from 2 s to 15 min with full jitter, and never less
// than the provider asked for.
func backoff(fails int, asked time.Duration, jitter float64) time.Duration {
	ceiling := min(2*time.Second<<min(fails, 12), 15*time.Minute)
	return max(time.Second+time.Duration(jitter*float64(ceiling)), asked)
}
