package runtimeapi_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/runtimeapi"
	"behalf.dev/behalf/integration/stack/template"
)

// BenchmarkStart is the start of each function as a process: from exec until it asks for work, which is what Lambda calls the init
// phase, without the download of the code. cpu-ms is the processor time of that, which decides on Lambda: during init a function
// has a whole processor or more, whatever its memory is.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	build(b, dir)
	deployed := environments(b)
	names, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range names {
		if deployed[n.Name()] == nil {
			continue // the canary is a stack of its own, which the local account does not deploy
		}
		b.Run(n.Name(), func(b *testing.B) {
			o := runtimeapi.Options{Binary: filepath.Join(dir, n.Name(), "bootstrap"), Name: n.Name(), ARN: "arn:aws:lambda:us-east-1:000000000000:function:" + n.Name(), Environment: deployed[n.Name()]}
			info, err := os.Stat(o.Binary)
			if err != nil {
				b.Fatal(err)
			}
			var cpu time.Duration
			rounds := 0
			for b.Loop() {
				before := children(b)
				f, err := runtimeapi.Start(b.Context(), o)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
				cpu, rounds = cpu+children(b)-before, rounds+1
				b.StartTimer()
			}
			b.ReportMetric(float64(cpu.Microseconds())/1000/float64(rounds), "cpu-ms/op")
			b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
			b.ReportMetric(float64(packages(b, n.Name())), "packages")
		})
	}
}

// environments are the variables that the templates give each function, with what Lambda adds.
func environments(b *testing.B) map[string]map[string]string {
	b.Helper()
	stacks, err := template.Stacks()
	if err != nil {
		b.Fatal(err)
	}
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		b.Fatal(err)
	}
	d, err := a.LoadTemplates(stacks)
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]map[string]string{}
	for _, fn := range d.Functions {
		vars := maps.Clone(fn.Environment)
		maps.Copy(vars, map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token", "AWS_REGION": "us-east-1"})
		out[fn.Name[strings.LastIndex(fn.Name, "-")+1:]] = vars
	}
	return out
}

// children is the processor time of this process's children that have ended.
func children(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// packages counts what is linked into a function.
func packages(b *testing.B, function string) int {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), "go", "list", "-deps", "../../functions/"+function+"/lambda").Output()
	if err != nil {
		b.Fatal(err)
	}
	return strings.Count(string(out), "\n")
}
