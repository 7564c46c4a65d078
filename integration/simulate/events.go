package simulate

import (
	"container/heap"
	"iter"
	"time"
)

// event is something that happens at a time; equal times in the order in which they were planned.
type event struct {
	at    time.Duration
	order int
	do    func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *agenda) Push(x any) { *a = append(*a, x.(event)) }

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// in plans do after d.
func (w *World) in(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.agenda, event{w.now + max(0, d), w.order, do})
}

// maxEvents ends a schedule that never does by itself.
const maxEvents = 50_000

// run lets time pass until there is nothing to do, or the time is over, or enough says so.
func (w *World) run(until time.Duration, enough func() bool) {
	for n := 0; len(w.agenda) > 0 && w.agenda[0].at <= until; n++ {
		if n > maxEvents {
			w.violate("it never ends")
			return
		}
		e := heap.Pop(&w.agenda).(event)
		w.now = e.at
		e.do()
		if enough() {
			return
		}
	}
}

// crashed is the panic of a process that dies: nothing of it runs any more.
type crashed struct{}

// process is one coroutine.
type process struct {
	w     *World
	name  string
	skew  time.Duration
	next  func() (time.Duration, bool)
	stop  func()
	yield func(time.Duration) bool
	// kill is when Lambda ends the process; a frozen one sleeps through it.
	kill time.Duration
	dead bool
	// frozen tells that it is asleep now.
	frozen bool
}

// lambda is the time limit of the refresh function.
const lambda = 90 * time.Second

// spawn starts a process; done runs when it has ended, ok unless it died or failed.
func (w *World) spawn(name string, body func(p *process) error, done func(ok bool)) {
	w.spawned++
	p := &process{w: w, name: name, kill: w.now + lambda}
	if w.skewed {
		p.skew = time.Duration(w.rng.Int64N(int64(6*time.Second))) - 3*time.Second
	}
	var err error
	p.next, p.stop = iter.Pull(func(yield func(time.Duration) bool) {
		p.yield = yield
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(crashed); !ok {
					panic(r)
				}
				p.dead = true
			}
		}()
		err = body(p)
	})
	w.live[p] = struct{}{}
	w.in(0, func() { w.resume(p, func() { done(!p.dead && err == nil) }) })
}

// resume runs a process up to its next wait.
func (w *World) resume(p *process, done func()) {
	before := w.cur
	w.cur = p
	d, more := p.next()
	w.cur = before
	if more {
		w.in(d, func() { w.resume(p, done) })
		return
	}
	delete(w.live, p)
	w.logf("%s ends (died: %v)", p.name, p.dead)
	done()
}

// wait gives way for d. A process whose time is over dies.
func (p *process) wait(d time.Duration) {
	if !p.yield(d) || !p.frozen && p.w.now > p.kill {
		panic(crashed{})
	}
}

func (p *process) freeze() {
	p.frozen = true
	p.wait(p.w.freezeFor())
	p.frozen = false
	p.kill = max(p.kill, p.w.now+30*time.Second) // the sandbox goes on for a while
}

// message is one on the refresh queue.
type message struct {
	name     string
	body     func(p *process) error
	received int
	// tokens are those that a rescue message carries, for the judge.
	tokens string
	// again marks a message that repeats one: it is not doubled, or their number would grow with each.
	again bool
}

// The queue's settings: how soon a message that was not done comes again, and how often.
const (
	visibility  = 180 * time.Second
	maxReceives = 12
)

// send puts a message on the queue. It is delivered at least once.
func (w *World) send(m *message, delay time.Duration) {
	w.queued[m] = struct{}{}
	copies := 1
	if w.duplicates && !m.again {
		copies = 2
	}
	for range copies {
		w.in(delay+w.latency(), func() { w.deliver(m) })
	}
}

func (w *World) deliver(m *message) {
	if _, ok := w.queued[m]; !ok {
		return
	}
	m.received++
	if m.received > 2*maxReceives {
		w.dead = append(w.dead, m)
		delete(w.queued, m)
		return
	}
	w.spawn(m.name, m.body, func(ok bool) {
		if ok {
			delete(w.queued, m)
		}
	})
	w.in(visibility, func() { w.deliver(m) })
}
