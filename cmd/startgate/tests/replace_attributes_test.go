//go:build linux

package tests

// R6: scheduling, rights and other attributes of a process stay.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// R6: the parent-death signal and reset-on-fork are lost when another thread than
// the first calls execve.
func TestReplaceKeepsAttributes(t *testing.T) {
	s := newComparison(t)
	prctl := func(option, value int) []string { return words("prctl", option, value, 0) }
	privileged := func(flags ...string) []string { return append([]string{"setpriv"}, flags...) }
	const (
		fifo, roundRobin, batch       = 1, 2, 3
		resetOnFork                   = 1
		memoryMerge, denyWriteExecute = 67, 65               // PR_SET_MEMORY_MERGE, PR_SET_MDWE
		noRandomAddress, uname26      = 0x0040000, 0x0020000 // personality(2)
	)
	for _, state := range []processState{
		{name: "nice", states: words("nice", 5), shows: "nice", value: "5"},
		{name: "batch", states: words("sched", batch, 0, 0), shows: "scheduler", value: "policy 3 "},
		{name: "reset on fork", states: words("sched", batch, 0, resetOnFork), shows: "scheduler", value: "flags 1 "},
		{name: "first in, first out", as: privileged(), states: words("sched", fifo, 3, 0), shows: "scheduler", value: "policy 1 priority 3"},
		{name: "round robin, reset on fork", as: privileged(), states: words("sched", roundRobin, 4, resetOnFork), shows: "scheduler", value: "policy 2 priority 4 nice 0 flags 1"},
		{name: "deadline, reset on fork", as: privileged(), states: words("sched", deadline, 0, resetOnFork), shows: "scheduler", value: "policy 6 priority 0 nice 0 flags 1"},
		{name: "I/O best effort", states: words("ioprio", 2, 6), shows: "ioprio", value: "16390"},
		{name: "I/O idle", states: words("ioprio", 3, 0), shows: "ioprio", value: "24576"},
		{name: "affinity", states: words("affinity", 1), shows: "affinity", value: "1"},
		{name: "memory policy", states: words("mempolicy", 1, 1), shows: "mempolicy", value: "1 1"},
		{name: "timer slack", states: prctl(unix.PR_SET_TIMERSLACK, 123456), shows: "timer slack", value: "123456"},
		{name: "oom_score_adj", states: words("write", "/proc/self/oom_score_adj", 300), shows: "/proc/self/oom_score_adj 00", value: "300"},
		{name: "core dump filter", states: words("write", "/proc/self/coredump_filter", "0x7f"), shows: "/proc/self/coredump_filter 00", value: "0000007f"},
		{name: "parent-death signal", states: prctl(unix.PR_SET_PDEATHSIG, int(unix.SIGUSR2)), shows: "parent-death signal", value: "12"},
		{name: "parent-death signal of another user", as: asNobody, states: prctl(unix.PR_SET_PDEATHSIG, int(unix.SIGTERM)), shows: "parent-death signal", value: "15"},
		{name: "subreaper", states: prctl(unix.PR_SET_CHILD_SUBREAPER, 1), shows: "subreaper", value: "1"},
		{name: "no_new_privs", states: prctl(unix.PR_SET_NO_NEW_PRIVS, 1), shows: "NoNewPrivs", value: "1"},
		{name: "no huge pages", states: prctl(unix.PR_SET_THP_DISABLE, 1), shows: "no huge pages", value: "1"},
		{name: "memory merging", as: privileged(), states: prctl(memoryMerge, 1), shows: "merging", value: "1"},
		{name: "no write and execute", states: prctl(denyWriteExecute, 1), shows: "no write and execute", value: "1"},
		{name: "machine checks early", states: words("prctl", unix.PR_MCE_KILL, 1, 1), shows: "machine check", value: "1"},
		{name: "personality without random addresses", states: words("personality", noRandomAddress), shows: "personality", value: "40000"},
		{name: "personality of Linux 2.6", states: words("personality", uname26), shows: "personality", value: "20000"},
		{name: "seccomp", states: words(prctl(unix.PR_SET_NO_NEW_PRIVS, 1), "seccomp", unix.SYS_REBOOT), shows: "Seccomp", value: "2"},
		{name: "old seccomp filter", states: words(prctl(unix.PR_SET_NO_NEW_PRIVS, 1), "seccomp", unix.SYS_FACCESSAT2), shows: "Seccomp", value: "2"},
		{name: "two seccomp filters", as: privileged(), states: words("seccomp", unix.SYS_REBOOT, "seccomp", unix.SYS_SWAPON), shows: "Seccomp_filters", value: "2"},
		{name: "securebits", as: privileged("--securebits=+no_setuid_fixup,+no_setuid_fixup_locked,+keep_caps_locked"), shows: "securebits", value: "44"},
		{name: "no root", as: privileged("--securebits=+noroot,+noroot_locked"), shows: "CapEff", value: "0000000000000000"},
		{name: "bounding set", as: privileged("--bounding-set=-net_raw,-sys_chroot"), shows: "CapBnd", value: "fbdfff"},
		{name: "inheritable", as: privileged("--inh-caps=+net_raw"), shows: "CapInh", value: "0000000000002000"},
		{name: "ambient", as: append(privileged("--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"), asNobody[1:]...), shows: "CapAmb", value: "0000000000000400"},
		{
			name: "everything", as: privileged("--inh-caps=+net_raw", "--ambient-caps=+net_raw", "--securebits=+noroot"),
			states: words(prctl(unix.PR_SET_PDEATHSIG, 10), prctl(unix.PR_SET_TIMERSLACK, 777), "nice", 19, "ioprio", 2, 7,
				"affinity", 2, "umask", "027", "terminal", "limit", unix.RLIMIT_NOFILE, 100, 200),
			shows: "CapAmb", value: "2000",
		},
	} {
		state.test(s)
	}
}

// R6: the idle policy. On a busy machine such a process starves, unless its control
// group has a share of its own.
func TestReplaceKeepsIdlePolicy(t *testing.T) {
	const idle = 5
	state := processState{name: "idle", states: words("sched", idle, 0, 0), shows: "scheduler", value: "policy 5 "}
	if os.Getuid() == 0 {
		state.as = newCgroup(t, "cpu").enter()
	}
	state.test(newComparison(t))
}

// R6: without LockOSThread it depends on chance from which thread execve is called: a
// wait, with its goroutines, leaves little of that.
func TestReplaceKeepsThreadsAttributesAfterAWait(t *testing.T) {
	s := newComparison(t)
	a := launch{
		env:    environ("WAIT_FOR=" + startReady(t, "").url()),
		states: words("prctl", unix.PR_SET_PDEATHSIG, 12, 0, "prctl", unix.PR_SET_TIMERSLACK, 4321, 0, "sched", 3, 0, 1),
	}
	directly := s.sees(a)
	directly.shows(t, "parent-death signal", "12")
	for range 20 {
		s.equal(directly, s.sees(a, binary, "--"))
	}
}

// R6: the program gets its set-user-ID as it would directly. A thread started meanwhile would make the kernel ignore it.
func TestReplaceStartsSetUserID(t *testing.T) {
	needRoot(t)
	need(t, "setpriv")
	s := newComparison(t)
	owned := s.setUserID()
	// It has to be another user's directory for the program to write to.
	program := []string{owned, "record", s.seen()}
	s.same(launch{as: asNobody, program: program}).shows(t, "Uid", `65534\x091234\x091234`)
	// A set-user-ID program loses the parent-death signal, here as directly.
	s.same(launch{as: asNobody, program: program, states: words("prctl", unix.PR_SET_PDEATHSIG, 15, 0)}).shows(t, "parent-death signal", "0")
}

// setUserID returns a recorder that runs as another user.
func (s *comparison) setUserID() string {
	s.Helper()
	owned := filepath.Join(s.dir, "owned")
	copyFile(s.T, s.recorder, owned)
	if err := errors.Join(os.Chown(owned, 1234, 0), os.Chmod(owned, os.ModeSetuid|0o755)); err != nil {
		s.Fatal(err)
	}
	return owned
}

// deadline is SCHED_DEADLINE.
const deadline = 6

// R5: the limit. Go's runtime needs threads, descriptors and address space that a smaller program
// does not. Where it cannot have them, startgate ends with Go's 2.
func TestReplaceNeedsOfGo(t *testing.T) {
	s := newComparison(t)
	limit := func(resource, n int) []string { return words("limit", resource, n, n) }
	for _, test := range []struct {
		name   string
		as     []string
		states []string
		starts bool
	}{
		{"8 descriptors", nil, limit(unix.RLIMIT_NOFILE, 8), true},
		{"1 GB of addresses", nil, limit(unix.RLIMIT_AS, 1<<30), true},
		{"64 MB of addresses", nil, limit(unix.RLIMIT_AS, 64<<20), false},
		{"10 threads", otherUser, limit(unix.RLIMIT_NPROC, 10), true},
		{"1 thread", otherUser, limit(unix.RLIMIT_NPROC, 1), false},
		{"deadline scheduler", []string{"setpriv"}, words("sched", deadline, 0, 0), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.as != nil {
				needRoot(t)
				need(t, "setpriv")
			}
			s, a := s.in(t), launch{as: test.as, states: test.states, program: []string{"/bin/true"}}
			runToEnd(t, s.command(a)).ends(0)
			want := 0
			if !test.starts {
				want = runtimeCode
			}
			runToEnd(t, s.command(a, binary, "--")).ends(want)
		})
	}
}

// otherUser is one who has no other process, not even of these tests run elsewhere.
var otherUser = strings.Fields(fmt.Sprintf("setpriv --reuid=%d --regid=%[1]d --clear-groups", 20000+os.Getpid()%40000))
