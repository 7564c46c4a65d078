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
