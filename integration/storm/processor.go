package storm

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc: USER_HZ, which is 100 on every Linux (proc_pid_stat(5)).
const tick = 10 * time.Millisecond

// Processor is how much processor time, user and system, a process has used so far. It says what a crowd costs whatever else the
// machine does meanwhile; elapsed time does not. It returns an error where there is no /proc.
func Processor(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	text := string(b)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name may hold spaces; state is the first behind it
	if len(fields) < 13 {
		return 0, fmt.Errorf("read /proc/%d/stat: %d fields", pid, len(fields))
	}
	var sum int64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/%d/stat: %w", pid, err)
		}
		sum += n
	}
	return time.Duration(sum) * tick, nil
}

// PID is the process's id.
func (w *Worker) PID() int { return w.cmd.Process.Pid }

// PID is the server's process id.
func (p *Provider) PID() int { return p.cmd.Process.Pid }
