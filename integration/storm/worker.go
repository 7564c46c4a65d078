package storm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"behalf.dev/behalf/functions/execute"
	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/ident"
)

// WorkerVariable makes a program a worker when it is set: the program calls Work and does nothing else.
const WorkerVariable = "BEHALF_STORM_WORKER"

// Function is one function for a worker to run.
type Function struct {
	// Name is its folder, ARN what it is invoked by.
	Name, ARN string
	// Timeout ends an invocation, as Lambda does.
	Timeout time.Duration
	// Environment is all that it sees.
	Environment map[string]string
}

// code is a function at work.
type code struct {
	Function
	handler any
}

// worker is what runs in the process.
type worker struct {
	log   *slog.Logger
	ahead atomic.Int64 // its clock is so much ahead of the system's
	ids   ident.Source

	mu    sync.Mutex
	codes map[string]code
}

// Work serves functions on a port of 127.0.0.1 that it prints, until its standard input ends. One process runs many
// invocations at once, which Lambda does not: so callers share caches and limits that they would not share there.
func Work() error {
	w := &worker{codes: map[string]code{}}
	awslambda.UseMemory(func(string) (string, bool) { return "256", true }) // as execute has
	w.log, w.ids = slog.New(awslambda.WithFields(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))), ident.NewSource(w.now, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /install", w.install)
	mux.HandleFunc("POST /clock", w.clock)
	mux.HandleFunc("POST /invoke/{name}", w.invoke)
	fmt.Println("ready", l.Addr())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when whoever started us has gone
		_ = srv.Close()
	}()
	return srv.Serve(l)
}

func (w *worker) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *worker) clock(rw http.ResponseWriter, r *http.Request) {
	var ahead time.Duration
	if err := json.NewDecoder(r.Body).Decode(&ahead); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.ahead.Store(int64(ahead))
}

// install wires a function as its main does, with the credentials of its own role.
func (w *worker) install(rw http.ResponseWriter, r *http.Request) {
	var f Function
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	v := f.Environment
	d := awslambda.Deps{Lookup: env.FromMap(v), Log: w.log.With("function", f.Name), Now: w.now, IDs: w.ids,
		AWS: aws.Config{Region: v["AWS_REGION"], BaseEndpoint: aws.String(v["AWS_ENDPOINT_URL"]),
			Credentials: credentials.NewStaticCredentialsProvider(v["AWS_ACCESS_KEY_ID"], v["AWS_SECRET_ACCESS_KEY"], v["AWS_SESSION_TOKEN"])}}
	c := code{Function: f}
	var err error
	switch f.Name {
	case "execute":
		var x *execute.Function
		if x, err = execute.New(d); err == nil {
			c.handler = x.Handle
		}
	case "refresh":
		var x *refresh.Function
		if x, err = refresh.New(d); err == nil {
			c.handler = x.Handle
		}
	default:
		err = fmt.Errorf("no function %q", f.Name)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.codes[f.Name] = c
}

// invoke runs a function once, whether its caller waits or not.
func (w *worker) invoke(rw http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	w.mu.Lock()
	c, ok := w.codes[r.PathValue("name")]
	w.mu.Unlock()
	if err != nil || !ok {
		http.Error(rw, "no such function", http.StatusNotFound)
		return
	}
	ctx := lambdacontext.NewContext(context.WithoutCancel(r.Context()), &lambdacontext.LambdaContext{AwsRequestID: w.ids.New("req"), InvokedFunctionArn: c.ARN})
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	out, err := lambda.NewHandler(c.handler).Invoke(ctx, payload)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = rw.Write(out)
}

// Worker is a process that runs functions.
type Worker struct {
	// Number tells workers apart.
	Number int
	url    string
	cmd    *exec.Cmd
	stdin  io.Closer
	client *http.Client
	gone   chan struct{}
}

// StartWorker starts binary as a worker; what it logs goes to log.
func StartWorker(number int, binary string, log io.Writer) (*Worker, error) {
	c := exec.Command(binary)
	c.Env, c.Stderr = []string{WorkerVariable + "=1", "PATH=/usr/bin:/bin"}, log
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start worker %d: %w", number, err)
	}
	w := &Worker{Number: number, cmd: c, stdin: in, gone: make(chan struct{}), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	go func() {
		_ = c.Wait() // it ends by being killed
		close(w.gone)
	}()
	if err != nil || !ok {
		w.Kill()
		return nil, fmt.Errorf("worker %d said %q: %w", number, line, errors.Join(err, errors.New("not ready")))
	}
	w.url = "http://" + addr
	return w, nil
}

// Alive reports that the process has not ended.
func (w *Worker) Alive() bool {
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}

// Kill ends the process at once, wherever it is (SIGKILL), and waits for its end.
func (w *Worker) Kill() {
	_ = w.cmd.Process.Kill() // an error means that it has ended already
	<-w.gone
}

// Install gives the worker a function.
func (w *Worker) Install(ctx context.Context, f Function) error {
	_, err := w.post(ctx, "/install", f)
	return err
}

// Ahead sets the worker's clock ahead of the system's.
func (w *Worker) Ahead(ctx context.Context, d time.Duration) error {
	_, err := w.post(ctx, "/clock", d)
	return err
}

// Invoke runs a function.
func (w *Worker) Invoke(ctx context.Context, name string, payload []byte) ([]byte, error) {
	return w.post(ctx, "/invoke/"+name, json.RawMessage(payload))
}

func (w *Worker) post(ctx context.Context, path string, body any) ([]byte, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("worker %d: %w", w.Number, err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("worker %d answers %d: %s", w.Number, res.StatusCode, out)
	}
	return out, err
}
