package runtimeapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// instance is one process and the Runtime API that it talks to.
type instance struct {
	opt     Options
	cmd     *exec.Cmd
	server  *http.Server
	work    chan *invocation
	waiting func(*instance) // called each time the process asks for work
	ready   chan struct{}   // closed when it asked for the first time
	first   sync.Once
	exited  chan struct{}

	mu      sync.Mutex
	current *invocation
	told    string // what the process reported to /runtime/init/error
	err     error  // how the process ended
}

// invocation is one payload on its way through a process.
type invocation struct {
	id       string
	payload  []byte
	deadline time.Time
	once     sync.Once
	done     chan struct{} // closed once answer and err are set
	answer   []byte
	err      error
}

func newInvocation(payload []byte, deadline time.Time) *invocation {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	id := fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	return &invocation{id: id, payload: payload, deadline: deadline, done: make(chan struct{})}
}

// end sets the outcome; only the first counts.
func (v *invocation) end(answer []byte, err error) {
	v.once.Do(func() {
		v.answer, v.err = answer, err
		close(v.done)
	})
}

func startInstance(o Options, waiting func(*instance)) (*instance, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the runtime API: %w", err)
	}
	i := &instance{opt: o, work: make(chan *invocation), waiting: waiting, ready: make(chan struct{}), exited: make(chan struct{})}
	i.server = &http.Server{Handler: i.handler(), ReadHeaderTimeout: 10 * time.Second}
	i.cmd = exec.Command(o.Binary)
	i.cmd.Dir, i.cmd.Env, i.cmd.Stdout, i.cmd.Stderr = filepath.Dir(o.Binary), environment(o, l.Addr().String()), o.Output, o.Output
	if err := i.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the process: %w", err), l.Close())
	}
	go func() { _ = i.server.Serve(l) }() // ends with ErrServerClosed when the process has ended
	go i.wait()
	return i, nil
}

// environment is that of a Lambda function (Lambda Developer Guide, "Defined runtime environment variables").
func environment(o Options, api string) []string {
	vars := maps.Clone(o.Environment)
	if vars == nil {
		vars = map[string]string{}
	}
	maps.Copy(vars, map[string]string{"AWS_LAMBDA_RUNTIME_API": api, "AWS_LAMBDA_FUNCTION_NAME": o.Name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023", "_HANDLER": "bootstrap", "LAMBDA_TASK_ROOT": filepath.Dir(o.Binary),
		"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC"})
	out := make([]string, 0, len(vars))
	for k, v := range vars {
		out = append(out, k+"="+v)
	}
	return out
}

// wait notes the end of the process.
func (i *instance) wait() {
	err := i.cmd.Wait()
	i.mu.Lock()
	i.err = err
	i.mu.Unlock()
	close(i.exited)
	_ = i.server.Close() // nobody is left to be served
}

func (i *instance) alive() bool {
	select {
	case <-i.exited:
		return false
	default:
		return true
	}
}

// kill ends the process, as Lambda does.
func (i *instance) kill() { _ = i.cmd.Process.Kill() } // an error means that it has ended already

// how says how the process ended.
func (i *instance) how() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.told != "" {
		return i.told
	}
	if i.err == nil {
		return "exit status 0"
	}
	return i.err.Error()
}

// run hands an invocation to the process and sees to it that it has an outcome by its deadline.
func (i *instance) run(v *invocation, timeout time.Duration) {
	ctx, cancel := context.WithDeadline(context.Background(), v.deadline)
	defer cancel()
	select {
	case i.work <- v:
	case <-i.exited:
	case <-ctx.Done():
	}
	select {
	case <-v.done:
	case <-i.exited:
		v.end(nil, &Error{"Runtime.ExitError", "RequestId: " + v.id + " Error: Runtime exited with error: " + i.how()})
	case <-ctx.Done():
		v.end(nil, &Error{"Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", v.id, timeout.Seconds())})
		i.kill()
	}
}
