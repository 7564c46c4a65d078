package cli

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// program is something that should be on the PATH. None is needed to run the built command itself.
type program struct {
	name string
	args []string
	// major and minor are the least version; why is what it is for.
	major, minor int
	why          string
}

// programs are what the README asks for.
func programs() []program {
	return []program{
		{"go", []string{"env", "GOVERSION"}, 1, 26, "building, go run, make test"},
		{"node", []string{"--version"}, 20, 0, "cdk synth and deploy"},
		{"java", []string{"-version"}, 17, 0, "make test compares with DynamoDB Local"},
		{"python3", []string{"--version"}, 3, 10, "make test runs cfn-lint"},
	}
}

func machineFindings(ctx context.Context, getenv func(string) string) []finding {
	found := []finding{{Check: "system", Result: resultOK, Found: fmt.Sprintf("%s/%s, %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}}
	for _, p := range programs() {
		found = append(found, p.look(ctx))
	}
	return append(found, devPort(ctx), awsEnvironment(getenv))
}

func (p program) look(ctx context.Context) finding {
	f := finding{Check: p.name, Result: resultOK}
	do := fmt.Sprintf("install %s %d.%d or newer; it is for: %s", p.name, p.major, p.minor, p.why)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.name, p.args...).CombinedOutput()
	if err != nil {
		f.Result, f.Found, f.Do = resultWarning, "not found", do
		return f
	}
	f.Found = strings.TrimSpace(strings.SplitN(string(out), "\n", 2)[0])
	if major, minor, ok := version(f.Found); !ok || major < p.major || major == p.major && minor < p.minor {
		f.Result, f.Do = resultWarning, do
	}
	return f
}

var digits = regexp.MustCompile(`(\d+)(?:\.(\d+))?`)

// version reads the first version number in what a program says about itself.
func version(s string) (major, minor int, ok bool) {
	m := digits.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, false
	}
	major, err := strconv.Atoi(m[1])
	minor, _ = strconv.Atoi(m[2]) // "20" alone is 20.0
	return major, minor, err == nil
}

// devPort tells whether behalf dev could start with its defaults.
func devPort(ctx context.Context) finding {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:8787")
	if err != nil {
		return finding{"port 8787", resultWarning, "in use (perhaps by behalf dev itself)", "behalf dev --port 0 picks a free one"}
	}
	_ = l.Close()
	return finding{Check: "port 8787", Result: resultOK, Found: "free for behalf dev"}
}

// awsEnvironment says which account commands would talk to, without talking to it.
func awsEnvironment(getenv func(string) string) finding {
	f := finding{Check: "AWS", Result: resultOK}
	switch {
	case getenv("AWS_ENDPOINT_URL") != "":
		f.Found = "AWS_ENDPOINT_URL is set: dev and demo use that endpoint in place of the embedded account"
	case getenv("AWS_PROFILE") != "" || getenv("AWS_ACCESS_KEY_ID") != "":
		f.Found = "credentials in the environment"
		if getenv("AWS_REGION") == "" && getenv("AWS_DEFAULT_REGION") == "" {
			f.Result, f.Do = resultWarning, "set AWS_REGION, or rely on the region of the profile"
		}
	default:
		f.Result, f.Found = resultSkipped, "no AWS_PROFILE or AWS_ACCESS_KEY_ID; needed only to deploy and for keys create"
	}
	return f
}
