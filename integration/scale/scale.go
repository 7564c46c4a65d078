package scale

import (
	"math"
	"time"
)

// Refresh is what one refresh of a connector asks of AWS, counted and measured.
type Refresh struct {
	// Reads are strong reads of items below 4 KB; ConnectionWrites all writes of the connection: lease, intent, flip, lifetime.
	Reads, ConnectionWrites int
	// ConnectionBytes, SlotBytes and AuditBytes are the sizes of the items that are written.
	ConnectionBytes, SlotBytes, AuditBytes int
	// Moves is how often the connection changes its place in the due index: two index writes each.
	Moves int
	// Events are those published on the bus.
	Events int
}

// WriteUnits is DynamoDB's measure of its writes: one per KB begun, index entries included.
func (r Refresh) WriteUnits() int {
	return r.ConnectionWrites*units(r.ConnectionBytes) + units(r.SlotBytes) + units(r.AuditBytes) + r.IndexWrites()
}

// IndexWrites go to one shard of the due index.
func (r Refresh) IndexWrites() int { return 2 * r.Moves }

func units(bytes int) int { return (bytes + 1023) / 1024 }

// Message is what one message of up to 25 connections asks of AWS on top, when nothing is cached.
type Message struct {
	// KeyReads are queries for tenant keys, Decrypts KMS requests, Sessions STS requests.
	KeyReads, Decrypts, Sessions int
	// LogBytes are log and metric lines.
	LogBytes int
}

// Sealing is what sealing one audit record asks of AWS when each is sealed alone; batches share it.
type Sealing struct{ Reads, WriteUnits, Objects int }

// Fleet is a deployment to calculate for.
type Fleet struct {
	Connections int
	// Every is how often a connection in use is refreshed; Used the share of those in use; KeepAlive how often the others are.
	Every, KeepAlive time.Duration
	Used             float64
	// Took is the time of one refresh in the function, mostly the provider's.
	Took time.Duration
}

// PerSecond is how many refreshes that makes.
func (f Fleet) PerSecond() float64 {
	n := float64(f.Connections)
	return n*f.Used/f.Every.Seconds() + n*(1-f.Used)/f.KeepAlive.Seconds()
}

// The machinery's constants: connections in a message, how many of them at once, messages in a request and in a batch,
// shards of the index, and the function's memory in GB.
const perMessage, parallel, perRequest, perBatch, shards, memory = 25, 8, 10, 5, 16, 0.5

// Messages is how many messages a second carry them, in full messages.
func (f Fleet) Messages() float64 { return f.PerSecond() / perMessage }

// Busy is how many functions are at work at any time.
func (f Fleet) Busy() float64 { return f.Messages() * f.messageTook() }

func (f Fleet) messageTook() float64 {
	return math.Ceil(float64(perMessage)/parallel) * f.Took.Seconds()
}

// IndexWrites is how many writes a second one shard of the due index takes; a partition takes 1,000.
func (f Fleet) IndexWrites(r Refresh) float64 {
	return f.PerSecond() * float64(r.IndexWrites()) / shards
}

// Bill is a month's cost in US dollars.
type Bill struct{ Writes, Reads, Sealing, Lambda, Events, Queue, KMS, Logs, Scheduler float64 }

// Total adds up.
func (b Bill) Total() float64 {
	return b.Writes + b.Reads + b.Sealing + b.Lambda + b.Events + b.Queue + b.KMS + b.Logs + b.Scheduler
}

// Month is the bill of f. What caches save is not taken off, so it is an upper bound; STS costs nothing.
func Month(f Fleet, r Refresh, m Message, s Sealing, p Prices) Bill {
	refreshes, messages := f.PerSecond()*month, f.Messages()*month
	const million = 1e6
	return Bill{
		Writes:    refreshes * float64(r.WriteUnits()) / million * p.WriteUnits,
		Reads:     (refreshes*float64(r.Reads) + messages*float64(m.KeyReads)) / million * p.ReadUnits,
		Sealing:   refreshes * (float64(s.WriteUnits)/million*p.WriteUnits + float64(s.Reads)/million*p.ReadUnits + float64(s.Objects)/million*p.Objects),
		Lambda:    messages/perBatch/million*p.Invocations + f.Busy()*month*memory*p.GBSecond,
		Events:    refreshes * float64(r.Events) / million * p.Events,
		Queue:     messages * (1.0/perRequest + 2.0/perBatch) / million * p.QueueRequests,
		KMS:       messages * float64(m.Decrypts) / million * p.KMSRequests,
		Logs:      messages * float64(m.LogBytes) / 1e9 * p.LogGB,
		Scheduler: month / 60 / million * p.Schedules,
	}
}

// month is 365.25 / 12 days, in seconds.
const month = 365.25 / 12 * 24 * 3600

// Prices are per million, except as named, in US dollars.
type Prices struct {
	WriteUnits, ReadUnits, Events, QueueRequests, KMSRequests, Invocations, Schedules, Objects float64
	// GBSecond is Lambda's on arm64; LogGB is what CloudWatch Logs takes in.
	GBSecond, LogGB float64
}

// ListPrices are those of us-east-1, on demand, without free tiers and discounts, as of November 2026: pricing pages of DynamoDB
// (on-demand, standard class), Lambda (arm64, first tier), SQS (standard queues), EventBridge (custom events, Scheduler), KMS,
// S3 (PUT, standard class) and CloudWatch Logs (standard class). They were not compared with a bill.
func ListPrices() Prices {
	return Prices{WriteUnits: 0.625, ReadUnits: 0.125, Events: 1, QueueRequests: 0.40, KMSRequests: 3, Invocations: 0.20, Schedules: 1, Objects: 5, GBSecond: 0.0000133334, LogGB: 0.50}
}
