package refresh

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/tenant"
)

// wire is a queue that encodes, as SQS does.
type wire struct {
	got   contract.RefreshWork
	delay time.Duration
}

// Send implements Sender.
func (w *wire) Send(_ context.Context, message any, delay time.Duration) error {
	w.delay = delay
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	w.got = contract.RefreshWork{}
	return json.Unmarshal(b, &w.got)
}

var someRef = connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "alice"}, Connector: "github", ID: "conn_01j9zzzzzzzzzzzzzzzzzzzzzz"}

func TestRescue_ThroughTheQueue_ComesBackWhole(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, s := range map[string]connection.Slot{
		"all": {Generation: 7, Fence: 9, Access: []byte{0, 1, 255}, Refresh: []byte{2, 3},
			Facts: connection.TokenFacts{ExpiresAt: at, RefreshExpiresAt: at.Add(time.Hour), Scopes: []string{"repo"}, Metadata: map[string]string{"k": "v"}, Rotated: true, Incomplete: "step_failed: x"}},
		"least": {Generation: 1, Fence: 1, Access: []byte{1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &wire{}
			if err := (later{w, metric.New(nil, "", time.Now)}).Rescue(t.Context(), someRef, s); err != nil {
				t.Fatal(err)
			}
			ref, err := awslambda.ParseRef(w.got.Rescue.Connection)
			if err != nil || ref != someRef {
				t.Errorf("ref %+v, %v", ref, err)
			}
			if got := slotOf(*w.got.Rescue); !reflect.DeepEqual(got, s) {
				t.Errorf("got %+v, want %+v", got, s)
			}
		})
	}
}

// A field that is added to a slot or its facts must travel too.
func TestRescue_CarriesEveryField(t *testing.T) {
	t.Parallel()
	if n, m := reflect.TypeFor[connection.Slot]().NumField(), reflect.TypeFor[connection.TokenFacts]().NumField(); n != 5 || m != 6 {
		t.Errorf("a slot has %d fields and its facts %d; rescue.go and this test know 5 and 6", n, m)
	}
}

func TestAgain_DelayIsWithinTheQueuesLimit(t *testing.T) {
	t.Parallel()
	w := &wire{}
	if err := (later{w, metric.New(nil, "", time.Now)}).Again(t.Context(), someRef, time.Hour); err != nil || w.delay != 15*time.Minute || len(w.got.Connections) != 1 {
		t.Errorf("%+v after %v, %v", w.got, w.delay, err)
	}
}
