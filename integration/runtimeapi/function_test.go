package runtimeapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"behalf.dev/behalf/integration/runtimeapi"
)

// TestMain makes this test binary a Lambda function when it is started as one.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_FUNCTION") {
	case "":
		os.Exit(m.Run())
	case "broken":
		fmt.Println("cannot start")
		os.Exit(3)
	case "reports":
		reportStart()
	}
	lambda.Start(handle)
}

// reportStart is what a runtime does that cannot start: it says why (Lambda runtime API, "Initialization error") and ends.
func reportStart() {
	res, err := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error", "application/json", strings.NewReader(os.Getenv("TEST_REPORT")))
	if err != nil || res.StatusCode != http.StatusAccepted {
		fmt.Println("not accepted:", err)
	}
	os.Exit(1)
}

// ask is what the function of these tests is told to do.
type ask struct {
	Do   string `json:"do"`
	Size int    `json:"size,omitempty"`
}

type reply struct {
	Text        string            `json:"text"`
	Request     string            `json:"request"`
	ARN         string            `json:"arn"`
	Left        float64           `json:"left"` // seconds until the deadline
	Environment map[string]string `json:"environment"`
	PID         int               `json:"pid"`
}

func handle(ctx context.Context, a ask) (reply, error) {
	switch a.Do {
	case "fail":
		return reply{}, errors.New("no luck")
	case "panic":
		panic("lost")
	case "exit":
		os.Exit(7)
	case "hang":
		select {}
	case "big":
		return reply{Text: strings.Repeat("x", a.Size)}, nil
	case "meet": // waits until another process does the same
		if err := meet(ctx, os.Getenv("MEETING")); err != nil {
			return reply{}, err
		}
	}
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	out := reply{Text: "done", Request: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, Left: time.Until(deadline).Seconds(), Environment: map[string]string{}, PID: os.Getpid()}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		out.Environment[k] = v
	}
	return out, nil
}

// meet leaves a sign in a directory and looks for somebody else's.
func meet(ctx context.Context, dir string) error {
	if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, os.Getpid()), nil, 0o600); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if found, err := os.ReadDir(dir); err != nil || len(found) > 1 {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return ctx.Err()
}

func start(t *testing.T, o runtimeapi.Options) *runtimeapi.Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Binary, o.Name, o.ARN = self, "probe", "arn:aws:lambda:us-east-1:000000000000:function:probe"
	if o.Environment == nil {
		o.Environment = map[string]string{}
	}
	o.Environment["TEST_FUNCTION"] = "yes"
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	f, err := runtimeapi.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func call(t *testing.T, f *runtimeapi.Function, a ask) (reply, error) {
	t.Helper()
	in, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Invoke(t.Context(), in)
	if err != nil {
		return reply{}, err
	}
	var r reply
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v in %.200s", err, out)
	}
	return r, nil
}

func kind(err error) string {
	var e *runtimeapi.Error
	if errors.As(err, &e) {
		return e.Type
	}
	return fmt.Sprint(err)
}

func TestInvoke_ProcessSeesOnlyItsEnvironmentAndItsContext(t *testing.T) {
	t.Setenv("SOMETHING_OF_OURS", "x")
	f := start(t, runtimeapi.Options{Environment: map[string]string{"GIVEN": "1"}})
	r, err := call(t, f, ask{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Environment["GIVEN"] != "1" || r.Environment["AWS_LAMBDA_FUNCTION_NAME"] != "probe" || r.Environment["SOMETHING_OF_OURS"] != "" || r.Environment["HOME"] != "" {
		t.Errorf("environment %v", r.Environment)
	}
	if len(r.Request) != 36 || !strings.HasSuffix(r.ARN, ":probe") || r.Left < 10 || r.Left > 20 {
		t.Errorf("context %+v", r)
	}
	again, err := call(t, f, ask{})
	if err != nil || again.PID != r.PID || again.Request == r.Request {
		t.Errorf("second call: %v, process %d after %d", err, again.PID, r.PID)
	}
}

func TestInvoke_Failures_AreReportedAndTheNextCallSucceeds(t *testing.T) {
	t.Parallel()
	for do, x := range map[string]struct {
		kind    string
		started int // processes after one more call
	}{
		"fail":  {"errorString", 1},
		"panic": {"string", 2},
		"exit":  {"Runtime.ExitError", 2},
		"big":   {"Function.ResponseSizeTooLarge", 2}, // Lambda's runtime gives up when its answer is refused
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			f := start(t, runtimeapi.Options{Instances: 1})
			if _, err := call(t, f, ask{Do: do, Size: 7 << 20}); kind(err) != x.kind {
				t.Errorf("error %v of kind %q", err, kind(err))
			}
			if r, err := call(t, f, ask{}); err != nil || r.Text != "done" {
				t.Errorf("next call: %v", err)
			}
			if f.Started() != x.started {
				t.Errorf("%d processes, want %d", f.Started(), x.started)
			}
		})
	}
}

func TestInvoke_FunctionHangs_IsKilledAtItsDeadline(t *testing.T) {
	t.Parallel()
	f := start(t, runtimeapi.Options{Timeout: 300 * time.Millisecond, Instances: 1})
	if _, err := call(t, f, ask{Do: "hang"}); kind(err) != "Sandbox.Timedout" {
		t.Errorf("error %v", err)
	}
	if _, err := call(t, f, ask{Do: "fail"}); kind(err) != "errorString" {
		t.Errorf("next call: %v", err)
	}
}

func TestInvoke_CallerGivesUp_FunctionGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := start(t, runtimeapi.Options{Instances: 2, Environment: map[string]string{"MEETING": dir}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Invoke(ctx, []byte(`{"do":"meet"}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := call(t, f, ask{Do: "meet"}); err != nil { // the abandoned one is there to be met
		t.Error(err)
	}
}

func TestInvoke_TwoAtOnce_TwoProcesses(t *testing.T) {
	t.Parallel()
	f := start(t, runtimeapi.Options{Environment: map[string]string{"MEETING": t.TempDir()}})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := f.Invoke(t.Context(), []byte(`{"do":"meet"}`)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.Started() != 2 {
		t.Errorf("%d processes", f.Started())
	}
}

func TestInvoke_ManyMoreThanInstances_AllAreAnswered(t *testing.T) {
	t.Parallel()
	f := start(t, runtimeapi.Options{Instances: 2})
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := f.Invoke(t.Context(), []byte(`{}`)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.Started() > 2 {
		t.Errorf("%d processes", f.Started())
	}
}

func TestStart_ProcessEndsAtOnce_SaysSo(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, err = runtimeapi.Start(t.Context(), runtimeapi.Options{Binary: self, Name: "probe", Environment: map[string]string{"TEST_FUNCTION": "broken"}, Output: &out})
	if kind(err) != "Runtime.ExitError" || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(out.String(), "cannot start") {
		t.Errorf("error %v, output %q", err, &out)
	}
}

func TestStart_RuntimeReportsInitError_TellsWhy(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for report, want := range map[string]string{
		`{"errorMessage":"no such table","errorType":"Config.Missing"}`: "Config.Missing: no such table",
		`{"errorMessage":"no type"}`:                                    "no type",
		`not JSON`:                                                      "cannot be read",
	} {
		var out bytes.Buffer
		_, err = runtimeapi.Start(t.Context(), runtimeapi.Options{Binary: self, Name: "probe", Environment: map[string]string{"TEST_FUNCTION": "reports", "TEST_REPORT": report}, Output: &out})
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%s: error %v, output %q, want %q", report, err, &out, want)
		}
	}
}

func TestClose_WhileFunctionRuns_InvocationFails(t *testing.T) {
	t.Parallel()
	f := start(t, runtimeapi.Options{})
	failed := make(chan error, 1)
	go func() {
		_, err := f.Invoke(t.Context(), []byte(`{"do":"hang"}`))
		failed <- err
	}()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("the invocation succeeded")
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, runtimeapi.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}
