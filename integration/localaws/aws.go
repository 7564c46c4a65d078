package localaws

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"behalf.dev/behalf/integration/localaws/ddb"
	"behalf.dev/behalf/integration/localaws/eventbridge"
	"behalf.dev/behalf/integration/localaws/iam"
	"behalf.dev/behalf/integration/localaws/journal"
	"behalf.dev/behalf/integration/localaws/kms"
	"behalf.dev/behalf/integration/localaws/s3"
	"behalf.dev/behalf/integration/localaws/sqs"
)

// Options configure New. The zero value is a memory-only account.
type Options struct {
	Now     func() time.Time // clock of TTL, STS expiry, SQS visibility, schedules; nil means time.Now
	Region  string           // default "us-east-1"
	Account string           // default "000000000000"
	Dir     string           // journal directory; empty keeps everything in memory
	BaseURL string           // prefix of SQS queue URLs; default "http://localaws.internal"
	Logger  *slog.Logger     // default discards
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Account == "" {
		o.Account = "000000000000"
	}
	if o.BaseURL == "" {
		o.BaseURL = "http://localaws.internal"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// AWS is one emulated account in one region. It is safe for concurrent use.
type AWS struct {
	opt     Options
	ddb     *ddb.DB
	kms     *kms.Store
	sqs     *sqs.Service
	s3      *s3.Store
	events  *eventbridge.Service
	iam     *iam.Store
	counter *Counter
	faults  *Faults
	work    *work
	journal *journal.Journal

	mu          sync.RWMutex
	functions   map[string]*function // by ARN
	sources     []*source
	checkpoints map[string]int64 // stream position by source id
	running     sync.WaitGroup
}

// New opens an account and, with Dir, restores its state. The error says what of the journal
// could not be read or written.
func New(o Options) (*AWS, error) {
	o = o.withDefaults()
	a := &AWS{opt: o, counter: newCounter(), faults: newFaults(), work: newWork(),
		functions: map[string]*function{}, checkpoints: map[string]int64{}}
	a.iam = iam.NewStore(o.Account, o.Now, o.Logger)
	a.ddb = ddb.New(ddb.Options{Now: o.Now, Region: o.Region, Account: o.Account, Journal: a.record("ddb"), Changed: a.work.wake})
	a.kms = kms.New(kms.Options{Now: o.Now, Region: o.Region, Account: o.Account, Journal: a.record("kms")})
	a.sqs = sqs.New(sqs.Options{Now: o.Now, Region: o.Region, Account: o.Account, BaseURL: o.BaseURL, Journal: a.record("sqs"), Changed: a.work.wake})
	a.s3 = s3.New(s3.Options{Now: o.Now, Journal: a.record("s3")})
	a.events = eventbridge.New(eventbridge.Options{Now: o.Now, Region: o.Region, Account: o.Account, Deliver: a.deliver})
	if o.Dir == "" {
		return a, nil
	}
	j, err := journal.Open(o.Dir, a.restore, a.snapshot)
	if err != nil {
		return nil, fmt.Errorf("restore local AWS from %s: %w", o.Dir, err)
	}
	a.journal = j
	return a, nil
}

// record returns the journal hook of a service. It is silent until the journal is open, so a
// replay does not write.
func (a *AWS) record(service string) func(kind string, record any) {
	return func(kind string, rec any) {
		if a.journal != nil {
			a.journal.Append(service, kind, rec)
		}
	}
}

// checkpoint is the journal form of a stream position.
type checkpoint struct {
	Source string
	Seq    int64
}

func (a *AWS) restore(service, kind string, data []byte) error {
	switch service {
	case "ddb":
		return a.ddb.Restore(kind, data)
	case "kms":
		return a.kms.Restore(kind, data)
	case "sqs":
		return a.sqs.Restore(kind, data)
	case "s3":
		return a.s3.Restore(kind, data)
	case "stream":
		return a.restoreCheckpoint(data)
	}
	return fmt.Errorf("journal has a record of unknown service %q", service)
}

func (a *AWS) snapshot(emit journal.Emit) {
	in := func(service string) func(string, any) {
		return func(kind string, rec any) { emit(service, kind, rec) }
	}
	a.ddb.Snapshot(in("ddb"))
	a.kms.Snapshot(in("kms"))
	a.sqs.Snapshot(in("sqs"))
	a.s3.Snapshot(in("s3"))
	for id, seq := range a.checkpoints {
		emit("stream", "checkpoint", checkpoint{id, seq})
	}
}

// Close waits for running functions and closes the journal. End the context of Start first.
// The error is the first write of the journal that failed.
func (a *AWS) Close() error {
	a.running.Wait()
	if a.journal == nil {
		return nil
	}
	return a.journal.Close()
}

// RoleCredentials starts a session of a role, without tags and without expiry: what Lambda
// puts into a function's environment. All three are empty when the role does not exist.
func (a *AWS) RoleCredentials(roleARN string) (accessKey, secret, token string) {
	accessKey, secret, token, ok := a.iam.RoleCredentials(roleARN, "local-function")
	if !ok {
		a.opt.Logger.Error("credentials asked for a role that does not exist", "role", roleARN)
	}
	return accessKey, secret, token
}

// OperatorCredentials are those of the account administrator, whom no identity policy limits.
func (a *AWS) OperatorCredentials() (accessKey, secret string) {
	return iam.OperatorAccessKey, iam.OperatorSecret
}

// Counter counts the calls of this account.
func (a *AWS) Counter() *Counter { return a.counter }

// Faults injects failures into the calls of this account.
func (a *AWS) Faults() *Faults { return a.faults }

// SetIndexLag holds the newest n writes of each table back from its indexes; 0 turns it off.
func (a *AWS) SetIndexLag(n int) { a.ddb.SetIndexLag(n) }

// Settle makes all indexes current, whatever the lag.
func (a *AWS) Settle() { a.ddb.Settle() }

// SweepTTL deletes expired items now and returns how many. Start does it each second of the clock.
func (a *AWS) SweepTTL() int { return a.ddb.SweepTTL() }

// ForeignKey makes a symmetric KMS key of another account, with a key policy of its own, and returns its ARN.
func (a *AWS) ForeignKey(account, policy string) (arn string, err error) {
	return a.kms.CreateForeign(account, policy)
}

// SetRole adds or replaces a role from policy documents, for tests without a template. The name
// may be a path-less role name; the ARN is returned. Errors are those of iam.Parse.
func (a *AWS) SetRole(name, trust string, policies ...string) (arn string, err error) {
	r := &iam.Role{Name: name, ARN: "arn:aws:iam::" + a.opt.Account + ":role/" + name}
	if r.Trust, err = iam.Parse("trust policy of "+name, []byte(trust)); err != nil {
		return "", err
	}
	for i, doc := range policies {
		p, err := iam.Parse(fmt.Sprintf("%s policy %d", name, i), []byte(doc))
		if err != nil {
			return "", err
		}
		r.Policies = append(r.Policies, p)
	}
	a.iam.SetRole(r)
	return r.ARN, nil
}
