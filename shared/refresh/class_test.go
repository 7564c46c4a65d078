package refresh

import (
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
)

func TestClassOf_ConnectorAndWhatWasSeen(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		class   catalog.RotationClass
		grace   int
		rotates bool
		want    class
	}{
		{catalog.RotationStatic, 0, false, class{catalog.RotationStatic, 20 * time.Second, 14 * time.Second, 1}},
		{catalog.RotationStatic, 0, true, class{catalog.RotationStrict, 80 * time.Second, 60 * time.Second, 1}},
		{catalog.RotationStrict, 0, false, class{catalog.RotationStrict, 80 * time.Second, 60 * time.Second, 1}},
		{catalog.RotationGrace, 30, true, class{catalog.RotationGrace, 20 * time.Second, 14 * time.Second, 1}},
		{catalog.RotationGrace, 15, true, class{catalog.RotationGrace, 7 * time.Second, 2 * time.Second, 1}},
		{catalog.RotationGrace, 14, true, class{catalog.RotationStrict, 80 * time.Second, 60 * time.Second, 1}},
		{catalog.RotationGrace, 14, false, class{catalog.RotationStrict, 80 * time.Second, 60 * time.Second, 1}},
	} {
		spec := &catalog.Connector{Rotation: catalog.Rotation{Class: x.class, GraceSeconds: x.grace}}
		got := classOf(spec, connection.Connection{Refresh: connection.RefreshState{Rotates: x.rotates}})
		if got != x.want {
			t.Errorf("%s with %d s, seen to rotate: %v gives %+v, want %+v", x.class, x.grace, x.rotates, got, x.want)
		}
		if got.lease < got.timeout+spare {
			t.Errorf("%s: a lease of %v does not cover a request of %v and the writes", x.class, got.lease, got.timeout)
		}
		if x.class == catalog.RotationGrace && got.rotation == catalog.RotationGrace && got.lease >= time.Duration(x.grace)*time.Second {
			t.Errorf("a lease of %v outlives the grace of %d s: nobody can ask again in it", got.lease, x.grace)
		}
	}
}

func TestBackoff_GrowsToItsLimit_AndNeverBelowWhatWasAsked(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for fails := range 100 {
		most := backoff(fails, 0, 0.999999)
		if most < last || most > 15*time.Minute+time.Second {
			t.Errorf("after %d failures at most %v, before %v", fails, most, last)
		}
		last = most
		if least := backoff(fails, 0, 0); least != time.Second {
			t.Errorf("after %d failures at least %v", fails, least)
		}
		if got := backoff(fails, time.Hour, 0.5); got != time.Hour {
			t.Errorf("asked for an hour, got %v", got)
		}
	}
	if last < 15*time.Minute {
		t.Errorf("the limit is %v", last)
	}
}
