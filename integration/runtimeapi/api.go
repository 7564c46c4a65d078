package runtimeapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxAnswer is the largest answer of a synchronous invocation, in bytes (Lambda Developer Guide, "Lambda quotas").
const maxAnswer = 6 << 20

const version = "/2018-06-01/runtime"

// handler is the Runtime API of one instance.
func (i *instance) handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET "+version+"/invocation/next", i.next)
	m.HandleFunc("POST "+version+"/invocation/{id}/response", i.response)
	m.HandleFunc("POST "+version+"/invocation/{id}/error", i.failure)
	m.HandleFunc("POST "+version+"/init/error", i.initError)
	return m
}

// next blocks until there is work.
func (i *instance) next(w http.ResponseWriter, r *http.Request) {
	i.waiting(i)
	i.first.Do(func() { close(i.ready) }) // after it, so that who waited for the start finds the instance
	select {
	case v := <-i.work:
		i.mu.Lock()
		i.current = v
		i.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", v.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(v.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", i.opt.ARN)
		h.Set("Lambda-Runtime-Trace-Id", fmt.Sprintf("Root=1-%08x-%s;Sampled=0", v.deadline.Unix(), strings.ReplaceAll(v.id, "-", "")[:24]))
		_, _ = w.Write(v.payload) // a process that has gone is noticed by its end
	case <-r.Context().Done():
	case <-i.exited:
	}
}

// running is the invocation that a request names. Any other one is answered with 400.
func (i *instance) running(w http.ResponseWriter, r *http.Request) *invocation {
	i.mu.Lock()
	defer i.mu.Unlock()
	if v := i.current; v != nil && v.id == r.PathValue("id") {
		return v
	}
	reply(w, http.StatusBadRequest, `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`)
	return nil
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // see next
}

const accepted = `{"status":"OK"}`

// response takes the answer of a successful invocation. An error while it is written comes as a trailer.
func (i *instance) response(w http.ResponseWriter, r *http.Request) {
	v := i.running(w, r)
	if v == nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	switch {
	case err != nil:
		v.end(nil, &Error{"Runtime.TruncatedResponse", err.Error()})
	case len(body) > maxAnswer:
		v.end(nil, &Error{"Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxAnswer)})
		reply(w, http.StatusRequestEntityTooLarge, `{"errorType":"RequestEntityTooLarge","errorMessage":"Exceeded maximum allowed payload size"}`)
		return
	case r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "":
		v.end(nil, &Error{r.Trailer.Get("Lambda-Runtime-Function-Error-Type"), "the answer broke off"})
	default:
		v.end(body, nil)
	}
	reply(w, http.StatusAccepted, accepted)
}

// failure takes the error of an invocation.
func (i *instance) failure(w http.ResponseWriter, r *http.Request) {
	v := i.running(w, r)
	if v == nil {
		return
	}
	v.end(nil, report(r))
	reply(w, http.StatusAccepted, accepted)
}

// initError takes the error of a start; the process ends by itself.
func (i *instance) initError(w http.ResponseWriter, r *http.Request) {
	e := report(r)
	i.mu.Lock()
	i.told = e.Error()
	i.mu.Unlock()
	reply(w, http.StatusAccepted, accepted)
}

// report reads what a runtime says about an error.
func report(r *http.Request) *Error {
	var e struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&e); err != nil {
		e.Message = "the runtime reported an error that cannot be read"
	}
	if e.Type == "" {
		if e.Type = r.Header.Get("Lambda-Runtime-Function-Error-Type"); e.Type == "" {
			e.Type = "Unknown"
		}
	}
	return &Error{e.Type, e.Message}
}
