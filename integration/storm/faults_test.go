package storm_test

import (
	"testing"
	"time"

	"behalf.dev/behalf/integration/storm"
	"behalf.dev/behalf/shared/fault"
)

// few callers are enough where it is not the crowd that matters.
const few = 20

// together are scenarios that only wait, so they wait at the same time; each in a tenant of its own, since a process leaves a
// provider alone that fails for a tenant.
func (w *world) together(t *testing.T) {
	for _, s := range []struct {
		name string
		play func(t *testing.T)
	}{
		{"endpoint always takes 12 s, grace", w.slowGrace},
		{"reply cut, strict", w.cutStrict},
		{"reply cut, grace", w.cutGrace},
		{"429, token dead", w.tooMany},
		{"429, token due", w.tooManyWhileAlive},
		{"503 twice", w.unavailable},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.play(t)
		})
	}
}

// cutStrict loses the one answer that holds the new token. The server counts the repetition as theft and ends the grant:
// nothing on our side can mend that, so it must be said, once and clearly.
func (w *world) cutStrict(t *testing.T) {
	p := w.connect(t, "oidc", "cut-strict", "first2.next3600.cutstrict")
	p.dead(2 * time.Second)
	w.front.Plan(p.account, storm.Act{Cut: true})
	o := p.storm(few)
	o.report(t, "reply cut, strict")
	p.needsConsent(o, few)
	if got := p.tally(); got.Refreshed != 1 || got.Reused != 1 || got.Revoked == 0 {
		t.Errorf("the server says %+v", got)
	}
	o = p.storm(few)
	p.needsConsent(o, few)
	p.seen(2, 1)
}

// needsConsent checks that so many calls failed, and said why and what helps.
func (p *person) needsConsent(o outcome, n int) {
	p.t.Helper()
	if len(o.errors) != n {
		p.t.Errorf("%s: %d calls failed, want %d", p.account, len(o.errors), n)
	}
	for _, err := range o.errors {
		f := fault.From(err)
		if f.Code != fault.ReauthorizationRequired || f.Detail["reason"] != "refresh_outcome_unknown" || f.Detail["connect"] == nil {
			p.t.Errorf("%s: %v, %v", p.account, err, f.Detail)
			return
		}
	}
	c, err := p.w.api.Connection(p.t.Context(), p.tenant, p.connection)
	if err != nil || c.Status != "reauthorization_required" || c.Reason != "refresh_outcome_unknown" {
		p.t.Errorf("%s: the connection is %s (%s), %v", p.account, c.Status, c.Reason, err)
	}
}

// cutGrace is the same where the server forgives it.
func (w *world) cutGrace(t *testing.T) {
	p := w.connect(t, "oidcgrace", "cut-grace", "first2.next3600.grace30.cut")
	p.dead(2 * time.Second)
	w.front.Plan(p.account, storm.Act{Cut: true})
	o := p.storm(few)
	o.report(t, "reply cut, grace 30 s")
	none(t, o)
	p.seen(2, 1)
	p.alive()
}

// slowGrace is an endpoint that is slow each time. A client that gives up sooner asks again and again with a token that the server
// has used, until the grace period is over and the grant with it.
func (w *world) slowGrace(t *testing.T) {
	p := w.connect(t, "oidcgrace", "slow-grace", "first2.next3600.grace30.slow")
	p.dead(2 * time.Second)
	slow := storm.Act{Before: 12 * time.Second}
	w.front.Plan(p.account, slow, slow, slow)
	o := p.storm(few)
	o.report(t, "endpoint always takes 12 s, grace 30 s")
	none(t, o)
	p.seen(1, 0)
	w.front.Plan(p.account)
	p.alive()
}

// tooMany is a provider that asks to be left alone for two seconds.
func (w *world) tooMany(t *testing.T) {
	p := w.connect(t, "oidc", "too-many", "first2.next3600.toomany")
	p.dead(2 * time.Second)
	w.front.Plan(p.account, storm.Act{Status: 429, RetryAfter: 2})
	o := p.storm(few)
	o.report(t, "429, token dead")
	p.retryable(o, few)
	p.seen(1, 0)
	p.eventually(8 * time.Second)
	p.seen(2, 1)
	if asks := w.front.Asks(p.account); asks[1].Began.Sub(asks[0].Ended) < 2*time.Second {
		t.Error("asked again sooner than the provider wanted")
	}
	p.alive()
}

// retryable checks that n calls failed, and that each was told to come again.
func (p *person) retryable(o outcome, n int) {
	p.t.Helper()
	if len(o.errors) != n {
		p.t.Errorf("%s: %d calls failed, want %d", p.account, len(o.errors), n)
	}
	for _, err := range o.errors {
		if f := fault.From(err); f.Code != fault.ProviderError || f.RetryAfter <= 0 {
			p.t.Errorf("%s: %v, retry after %v", p.account, err, f.RetryAfter)
			return
		}
	}
}

// eventually calls until a call succeeds.
func (p *person) eventually(within time.Duration) {
	p.t.Helper()
	end := time.Now().Add(within)
	for {
		err := p.call()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			p.t.Errorf("%s: after %v calls still fail: %v", p.account, within, err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// tooManyWhileAlive is the same while the old token lives: nobody notices, and the queue brings the second attempt.
func (w *world) tooManyWhileAlive(t *testing.T) {
	p := w.connect(t, "oidc", "too-many-due", "first7.next3600.toomanydue")
	w.front.Plan(p.account, storm.Act{Status: 429, RetryAfter: 2})
	time.Sleep(time.Until(p.connected.Add(3600 * time.Millisecond)))
	p.sweep(t)
	p.seen(1, 0)
	o := p.storm(few)
	o.report(t, "429, token due")
	none(t, o)
	for end := time.Now().Add(6 * time.Second); len(w.front.Asks(p.account)) < 2 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	p.seen(2, 1)
	p.eventually(2 * time.Second)
	p.alive()
}

// unavailable is a provider that fails twice.
func (w *world) unavailable(t *testing.T) {
	p := w.connect(t, "oidc", "unavailable", "first2.next3600.unavailable")
	p.dead(2 * time.Second)
	w.front.Plan(p.account, storm.Act{Status: 503}, storm.Act{Status: 503})
	o := p.storm(few)
	o.report(t, "503, token dead")
	p.retryable(o, few)
	p.eventually(12 * time.Second)
	p.seen(3, 2)
	if got := p.tally(); got.Refreshed != 1 || got.Reused != 0 {
		t.Errorf("the server says %+v", got)
	}
	p.alive()
}

// broken are the scenarios in which AWS fails for a while.
func (w *world) broken(t *testing.T) {
	t.Run("KMS fails", func(t *testing.T) {
		cached := w.connect(t, "oidc", "acme", "first3600.kmscached")
		if err := cached.call(); err != nil {
			t.Fatal(err)
		}
		p := w.connect(t, "oidc", "umbrella", "first2.next3600.kms") // no process has this tenant's keys yet
		p.dead(2 * time.Second)
		w.aws.Faults().FailBefore("kms:Decrypt", -1, nil)
		o := cached.storm(few)
		o.report(t, "KMS fails, keys cached")
		none(t, o)
		o = p.storm(few)
		w.aws.Faults().Clear()
		o.report(t, "KMS fails, keys not cached")
		if len(o.errors) != few {
			t.Error("calls succeed without KMS")
		}
		p.honest(o)
		p.seen(0, 0) // nothing was asked, so nothing can be lost
		p.eventually(10 * time.Second)
		p.seen(1, 0)
		p.alive()
	})
	t.Run("DynamoDB fails", func(t *testing.T) {
		for _, op := range []string{"before the request", "behind the answer"} {
			t.Run(op, func(t *testing.T) { w.dynamoFails(t, op == "behind the answer") })
		}
	})
}

// dynamoFails breaks every DynamoDB call for two seconds: either all the time, or from the moment when the only copy of the
// new token is on its way to us.
func (w *world) dynamoFails(t *testing.T, behind bool) {
	p := w.connect(t, "oidc", "acme", map[bool]string{false: "first2.next3600.before", true: "first2.next3600.behind"}[behind])
	p.dead(2 * time.Second)
	fail := func() {
		for _, op := range []string{"GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem", "TransactWriteItems"} {
			w.aws.Faults().FailBefore("dynamodb:"+op, -1, nil)
		}
		time.AfterFunc(2*time.Second, w.aws.Faults().Clear)
	}
	if behind {
		w.front.Plan(p.account, storm.Act{Answered: func(int) { fail() }})
	} else {
		fail()
	}
	o := p.storm(few)
	o.report(t, "DynamoDB fails")
	p.honest(o)
	p.eventually(10 * time.Second)
	p.seen(1, 0)
	if got := p.tally(); got.Refreshed != 1 || got.Reused+got.Refused+got.Revoked != 0 {
		t.Errorf("the server says %+v", got)
	}
	p.alive()
}

// honest checks that no failed call says more than is known: that something here or there failed for now.
func (p *person) honest(o outcome) {
	p.t.Helper()
	for _, err := range o.errors {
		if c := fault.From(err).Code; c != fault.Internal && c != fault.ProviderError && c != fault.RateLimited {
			p.t.Errorf("%s: %v", p.account, err)
			return
		}
	}
}

// killed are the scenarios in which the process that refreshes is killed while it waits for the answer. Clocks are set ahead for
// the lease of the dead one to end.
func (w *world) killed(t *testing.T) {
	for _, s := range []struct {
		name, connector, account string
		reached                  bool // the server processed the request
		lease                    time.Duration
		lost                     bool
	}{
		{"before the server saw the request", "oidc", "first2.next3600.killbefore", false, 80 * time.Second, false},
		{"behind the server's answer, grace", "oidcgrace", "first2.next3600.grace30.kill", true, 20 * time.Second, false},
		{"behind the server's answer, strict", "oidc", "first2.next3600.killbehind", true, 80 * time.Second, true},
	} {
		t.Run("killed "+s.name, func(t *testing.T) {
			p := w.connect(t, s.connector, "acme", s.account)
			p.dead(2 * time.Second)
			gone := make(chan struct{})
			kill := func(worker int) {
				w.kill(worker)
				close(gone)
			}
			if s.reached {
				w.front.Plan(p.account, storm.Act{Answered: kill, Cut: true})
			} else {
				w.front.Plan(p.account, storm.Act{Arrived: kill, Drop: true})
			}
			got := make(chan outcome, 1)
			go func() { got <- p.storm(few) }()
			<-gone
			w.pass(s.lease + time.Second)
			o := <-got
			o.report(t, "killed "+s.name)
			p.seen(2, 1)
			if s.lost {
				p.needsConsent(p.storm(few), few)
				return
			}
			p.honest(o) // those that were in the process that died, and those whose wait the clocks cut short
			p.eventually(5 * time.Second)
			if tally := p.tally(); tally.Reused != 0 || tally.Revoked != 0 {
				t.Errorf("the server says %+v", tally)
			}
			p.alive()
		})
	}
}
