package memory_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/storetest"
	"behalf.dev/behalf/shared/tenant"
)

func clock() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func TestStore_Conformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Store { return memory.New(clock) })
}

var errInjected = errors.New("injected")

func TestFault_BeforeAndAfter_DecideWhetherItHappened(t *testing.T) {
	t.Parallel()
	ref := connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "alice"}, Connector: "github", ID: "conn_1"}
	for _, x := range []struct {
		at       string
		happened bool
	}{{"PutSlot", false}, {"PutSlot" + memory.After, true}} {
		s := memory.New(clock)
		var ops []string
		s.Fault = func(op string) error {
			ops = append(ops, op)
			if op == x.at {
				return errInjected
			}
			return nil
		}
		if err := s.PutSlot(t.Context(), ref, connection.Slot{Generation: 1}); !errors.Is(err, errInjected) {
			t.Errorf("%s: got %v", x.at, err)
		}
		_, ok, err := s.Slot(t.Context(), ref, 1)
		if ok != x.happened || err != nil {
			t.Errorf("%s: it happened: %v (%v), want %v; calls were %v", x.at, ok, err, x.happened, ops)
		}
	}
}

// The hook may use the store itself: that is how a simulator lets somebody else go first.
func TestFault_AnotherWriteInTheHook_IsMet(t *testing.T) {
	t.Parallel()
	s := memory.New(clock)
	c := connection.Connection{Ref: connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "alice"}, Connector: "github", ID: "conn_1"}, Version: 1}
	if err := s.CreateConnection(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	add := func(c connection.Connection) (connection.Connection, error) {
		c.Refresh.Fence++
		return c, nil
	}
	others := 3
	s.Fault = func(op string) error {
		if op == "UpdateConnection" && others > 0 {
			others--
			_, err := s.UpdateConnection(t.Context(), c, add)
			return err
		}
		return nil
	}
	got, err := s.UpdateConnection(t.Context(), c, add)
	if err != nil || got.Refresh.Fence != 4 {
		t.Errorf("fence %d, %v; want 4", got.Refresh.Fence, err)
	}
}

// A connection that was read may be changed without changing what is stored; load copies what it refers to.
func TestConnection_HoldsOnlyWhatLoadCopies(t *testing.T) {
	t.Parallel()
	var refers func(t reflect.Type, path string) []string
	refers = func(t reflect.Type, path string) (out []string) {
		switch t.Kind() {
		case reflect.Struct:
			if t == reflect.TypeFor[time.Time]() {
				return nil
			}
			for f := range t.Fields() {
				out = append(out, refers(f.Type, path+"."+f.Name)...)
			}
		case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
			out = append(out, path)
		}
		return out
	}
	if got := refers(reflect.TypeFor[connection.Connection](), ""); !slices.Equal(got, []string{".Scopes", ".Metadata", ".Access.Principals", ".Access.Groups", ".TokenSets"}) {
		t.Errorf("a connection refers to %v; load copies .Scopes, .Metadata, .TokenSets and the lists of .Access", got)
	}
}
