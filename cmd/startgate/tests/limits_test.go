//go:build linux

package tests

// R5 and S11: every resource limit of setrlimit(2), at 0 and at a small value; and the
// fault that a file may not grow.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// limitCase is a resource with a limit at which a container may be started. The README
// has the exceptions.
type limitCase struct {
	name       string
	resource   int
	soft, hard uint64

	states []string // what the launcher sets up besides
	nobody bool     // root has no such limit
	spins  bool     // the program goes on until the limit ends it
	slow   bool

	replacing, supervising int // the exit code, when it is not that of a direct start
	onlyCode               bool
}

// exclusive is the limit of both kinds.
func exclusive(name string, resource int, value uint64) limitCase {
	return limitCase{name: name, resource: resource, soft: value, hard: value}
}

// with changes a copy of the case.
func (c limitCase) with(change func(*limitCase)) limitCase {
	change(&c)
	return c
}

// refused is an exception: Go's runtime, or the kernel, ends startgate.
func refused(code int) func(*limitCase) {
	return func(c *limitCase) { c.replacing, c.supervising = code, code }
}

// limitCases has each of the 16 at 0 and at a small value.
var limitCases = []limitCase{
	// The kernel looks at the next tick: it may end startgate before the program starts.
	exclusive("CPU", unix.RLIMIT_CPU, 0).with(func(c *limitCase) { c.spins, c.onlyCode = true, true }),
	{name: "CPU", resource: unix.RLIMIT_CPU, soft: 1, hard: 2, spins: true, slow: true},
	exclusive("FSIZE", unix.RLIMIT_FSIZE, 0),
	exclusive("FSIZE", unix.RLIMIT_FSIZE, 100),
	exclusive("DATA", unix.RLIMIT_DATA, 0),
	exclusive("DATA", unix.RLIMIT_DATA, 64<<20).with(refused(runtimeCode)),
	exclusive("DATA", unix.RLIMIT_DATA, 80<<20),
	exclusive("STACK", unix.RLIMIT_STACK, 0).with(refused(128 + int(unix.SIGSEGV))),
	exclusive("STACK", unix.RLIMIT_STACK, 64<<10),
	exclusive("CORE", unix.RLIMIT_CORE, 0),
	exclusive("CORE", unix.RLIMIT_CORE, 1),
	exclusive("RSS", unix.RLIMIT_RSS, 0),
	exclusive("RSS", unix.RLIMIT_RSS, 4096),
	exclusive("NPROC", unix.RLIMIT_NPROC, 0),
	exclusive("NPROC", unix.RLIMIT_NPROC, 1),
	exclusive("NPROC", unix.RLIMIT_NPROC, 0).with(func(c *limitCase) { c.nobody, c.replacing, c.supervising = true, runtimeCode, runtimeCode }),
	exclusive("NOFILE", unix.RLIMIT_NOFILE, 0).with(refused(runtimeCode)),
	exclusive("NOFILE", unix.RLIMIT_NOFILE, 5).with(refused(runtimeCode)),
	exclusive("NOFILE", unix.RLIMIT_NOFILE, 11),
	exclusive("MEMLOCK", unix.RLIMIT_MEMLOCK, 0),
	exclusive("MEMLOCK", unix.RLIMIT_MEMLOCK, 4096),
	exclusive("AS", unix.RLIMIT_AS, 0),
	exclusive("AS", unix.RLIMIT_AS, 100<<20).with(refused(runtimeCode)),
	exclusive("LOCKS", unix.RLIMIT_LOCKS, 0),
	exclusive("LOCKS", unix.RLIMIT_LOCKS, 1),
	exclusive("SIGPENDING", unix.RLIMIT_SIGPENDING, 0),
	exclusive("SIGPENDING", unix.RLIMIT_SIGPENDING, 1),
	exclusive("MSGQUEUE", unix.RLIMIT_MSGQUEUE, 0),
	exclusive("MSGQUEUE", unix.RLIMIT_MSGQUEUE, 1),
	exclusive("NICE", unix.RLIMIT_NICE, 0),
	exclusive("NICE", unix.RLIMIT_NICE, 1),
	exclusive("RTPRIO", unix.RLIMIT_RTPRIO, 0),
	exclusive("RTPRIO", unix.RLIMIT_RTPRIO, 1),
	exclusive("RTTIME", unix.RLIMIT_RTTIME, 0),
	exclusive("RTTIME", unix.RLIMIT_RTTIME, 1000),
	exclusive("RTTIME", unix.RLIMIT_RTTIME, 20000).with(func(c *limitCase) { c.states, c.spins = words("sched", 1, 1, 0), true }),
}

// R5, S11: the program sees the same limits as when it is started directly, and ends with
// the same code; or the exception that examples/faults has. When no signal could be queued,
// startgate once ran for ever instead of the program.
func TestEveryLimit(t *testing.T) {
	seen := map[int]bool{}
	for _, test := range limitCases {
		seen[test.resource] = true
		t.Run(fmt.Sprintf("%s %d nobody=%t spins=%t", test.name, test.soft, test.nobody, test.spins), func(t *testing.T) {
			t.Parallel()
			test.run(newComparison(t))
		})
	}
	for resource := range 16 {
		if !seen[resource] {
			t.Errorf("limit %d is not in the table", resource)
		}
	}
}

func (c limitCase) run(s *comparison) {
	if c.slow && testing.Short() {
		s.Skip("takes a second of CPU time, three times")
	}
	if c.nobody {
		needRoot(s)
	}
	code, saw := c.start(s, "SUPERVISE=false")
	if code == 98 && c.soft > 0 { // of the launcher
		s.Skipf("this user may not raise the limit:\n%s", readIfThere(s.T, filepath.Join(s.dir, "stderr")))
	}
	for mode, want := range map[string]int{modeReplace: c.replacing, modeSupervise: c.supervising} {
		got, gotSaw := c.start(s, mode, binary, "--")
		wantSaw := saw
		if want == 0 {
			want = code
		} else {
			wantSaw = ""
		}
		if got != want || gotSaw != wantSaw && !c.onlyCode {
			s.Errorf("%s: exit code %d, want %d; the program sees\n%swant\n%s%s", mode, got, want, gotSaw, wantSaw, readIfThere(s.T, filepath.Join(s.dir, "stderr")))
		}
	}
}

// start starts the program with the limit, directly or through startgate, whose log and
// metrics are files. It returns the exit code, as a shell has it, and what the program
// said.
func (c limitCase) start(s *comparison, mode string, through ...string) (code int, saw string) {
	s.Helper()
	a := launch{
		states:  words(c.states, "limit", c.resource, c.soft, c.hard),
		program: []string{program(s, "fault"), "limits"},
		env:     environ(mode, "WAIT_FOR="+startReady(s, "").url(), "METRICS="+s.dir+"/it.prom"),
	}
	if c.nobody {
		a.as = asNobody
	}
	if c.spins {
		a.program = append(a.program, "spin")
	}
	cmd := s.command(a, through...)
	cmd.Stdout = nil // the runner's pipe
	p := start(s, cmd)
	status := p.end()
	if status.Signaled() {
		return 128 + int(status.Signal()), p.out.String()
	}
	return status.ExitStatus(), p.out.String()
}

// smallFiles has a log and metrics that may not grow. Without waitid there is a line for
// the log while the application runs, and once the application got the XFSZ of it.
func smallFiles(t *testing.T) {
	need(t, "prlimit")
	for _, size := range []int{0, 100} {
		dir := t.TempDir()
		log, err := os.Create(dir + "/log")
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd := command(append(slices.Clone(superviseSettings), "METRICS="+dir+"/it.prom"),
			words(prlimit(fmt.Sprint("fsize=", size)), forbid(t, unix.EPERM, []int{unix.SYS_WAITID}), binary, "--", program(t, "supervised"), "signals")...)
		cmd.Stderr = log
		p := start(t, cmd)
		p.untilOut("ready")
		p.forwards(unix.SIGUSR1)
		p.forwards(unix.SIGXFSZ) // from outside it still is
		p.hasGot(unix.SIGUSR1, unix.SIGXFSZ)
		if text := readIfThere(t, log.Name()); len(text) > size {
			t.Errorf("the log has more than %d bytes:\n%s", size, text)
		}
		if text := readIfThere(t, dir+"/it.prom"); text != "" {
			t.Errorf("there are metrics:\n%s", text)
		}
	}
}

// S11: a limit. The kernel sends startgate an XCPU for its own CPU time, and nothing says
// that it was not sent by somebody.
func TestXCPUOfStartgateIsHandedOn(t *testing.T) {
	p := startSupervising(t, "signals")
	limit := unix.Rlimit{Cur: 0, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(p.pid(), unix.RLIMIT_CPU, &limit, nil); err != nil {
		t.Fatal(err)
	}
	eventually(p, "XCPU", func() bool {
		p.send(unix.SIGUSR1) // to be busy
		return slices.Contains(p.got(), unix.SIGXCPU)
	})
}
