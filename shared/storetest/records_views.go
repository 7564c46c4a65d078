package storetest

import (
	"context"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

func viewCycle(t *testing.T, s Store) {
	ctx := context.Background()
	_, err := s.View(ctx, acme, "support")
	want(t, err, fault.NotFound)
	v := toolcall.View{Name: "support", Connectors: []string{"github"}, Tools: []string{"github_list_issues"}, Effects: []catalog.Effect{catalog.EffectRead}, Created: epoch(), Updated: epoch().Add(time.Hour)}
	must(t, s.PutView(ctx, acme, v))
	want(t, s.PutView(ctx, acme, v), fault.Conflict)
	got, err := s.View(ctx, acme, "support")
	must(t, err)
	same(t, "the view", got, v)
	_, err = s.View(ctx, other, "support")
	want(t, err, fault.NotFound)

	got.Effects = nil
	must(t, s.PutView(ctx, acme, got))
	want(t, s.DeleteView(ctx, acme, got), fault.Conflict) // it changed meanwhile
	got, err = s.View(ctx, acme, "support")
	must(t, err)
	must(t, s.DeleteView(ctx, acme, got))
	gone, err := s.View(ctx, acme, "support")
	want(t, err, fault.NotFound)
	if gone.Name != "" || gone.Version == 0 {
		t.Errorf("a deleted view reads %+v", gone)
	}
	v.Version = gone.Version
	must(t, s.PutView(ctx, acme, v)) // the name may be used again
}

func viewOfAll(t *testing.T, s Store) {
	ctx := context.Background()
	_, err := s.ViewFor(ctx, acme, "support")
	want(t, err, fault.NotFound)
	must(t, s.PutView(ctx, tenant.Deployment, toolcall.View{Name: "support", Connectors: []string{"github"}}))
	must(t, s.PutView(ctx, acme, toolcall.View{Name: "support", Connectors: []string{"slack"}}))
	got := func(id tenant.ID) toolcall.View {
		t.Helper()
		v, err := s.ViewFor(ctx, id, "support")
		must(t, err)
		return v
	}
	own := got(acme)
	if other := got(other); own.Connectors[0] != "slack" || other.Connectors[0] != "github" {
		t.Errorf("the tenant with its own gets %v, another %v", own, other)
	}
	must(t, s.DeleteView(ctx, acme, own))
	if v := got(acme); v.Connectors[0] != "github" { // the mark of the deleted one hides nothing
		t.Errorf("%v", v)
	}
	_, err = s.View(ctx, acme, "support") // which the deployment's is not
	want(t, err, fault.NotFound)
	all, err := s.View(ctx, tenant.Deployment, "support")
	must(t, err)
	must(t, s.DeleteView(ctx, tenant.Deployment, all))
	_, err = s.ViewFor(ctx, acme, "support")
	want(t, err, fault.NotFound)
}

func viewList(t *testing.T, s Store) {
	ctx := context.Background()
	for _, name := range []string{"c", "a", "b", "e", "d"} {
		must(t, s.PutView(ctx, acme, toolcall.View{Name: name, Connectors: []string{"github"}, Created: epoch(), Updated: epoch()}))
	}
	must(t, s.PutView(ctx, other, toolcall.View{Name: "f", Connectors: []string{"github"}, Created: epoch(), Updated: epoch()}))
	b, err := s.View(ctx, acme, "b")
	must(t, err)
	must(t, s.DeleteView(ctx, acme, b))
	var names, after string
	for {
		views, next, err := s.Views(ctx, acme, after, 2)
		must(t, err)
		for _, v := range views {
			names += v.Name
		}
		if after = next; next == "" {
			break
		}
	}
	if names != "acde" {
		t.Errorf("listed %q", names)
	}
}
