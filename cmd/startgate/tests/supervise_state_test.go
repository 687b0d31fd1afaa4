//go:build linux

package tests

// S8 and S11: a supervised program has the state that startgate was started in.

import (
	"maps"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
	"golang.org/x/sys/unix"
)

// byDesign takes out of what a supervised program sees that which is different by
// design: it is a child, which is killed when its parent is, in a group of its own.
// A child's default timer slack is its parent's timer slack.
func byDesign(saw snapshot) snapshot {
	saw = maps.Clone(saw)
	for _, name := range []string{"pid", "parent", "group", "parent-death signal", "default timer slack"} {
		delete(saw, name)
	}
	return saw
}

// child starts the recorder under supervision and returns what it saw.
func (s *comparison) child(a launch) snapshot {
	s.Helper()
	a.env = superviseEnv
	saw, p := s.record(a, binary, "--")
	if gate := strconv.Itoa(p.pid()); saw["pid"] == gate || saw["parent"] != gate {
		p.Errorf("the program is %s, a child of %s, want a child of %s", saw["pid"], saw["parent"], gate)
	}
	return saw
}

// S11: as R4 to R8, as far as a child inherits.
func TestSuperviseKeepsState(t *testing.T) {
	s := newComparison(t)
	file := s.dir + "/file"
	open := func(fd, flags int) []string { return words("open", fd, file, flags|unix.O_CREAT) }
	limit := func(resource, soft, hard int) []string { return words("limit", resource, soft, hard) }
	kept := without(everySignal(), unblocked)
	for _, state := range []processState{
		{name: "as started", shows: "Threads", value: "1"},
		{name: "5, 9 and 100", states: words(open(5, unix.O_RDONLY), open(9, unix.O_WRONLY|unix.O_APPEND), open(100, unix.O_RDWR)), shows: "descriptor 100", value: "/file flags 100002"},
		{name: "3 to 7", states: words(open(3, unix.O_RDWR), open(4, unix.O_RDWR), open(5, unix.O_RDWR), open(6, unix.O_RDWR), open(7, unix.O_RDWR)), shows: "descriptor 7", value: "/file"},
		{name: "non-blocking", states: words(open(0, unix.O_RDWR|unix.O_NONBLOCK), open(9, unix.O_RDWR|unix.O_NONBLOCK)), shows: "descriptor 9", value: "flags 104002"},
		{name: "read-only 0, 1, 2", states: words("open", 0, "/dev/null", 0, "open", 1, "/dev/null", 0, "open", 2, "/dev/null", 0), shows: "descriptor 2", value: "flags 100000"},
		{name: "open files 64 of 4096", states: limit(unix.RLIMIT_NOFILE, 64, 4096), shows: "/proc/self/limits 08", value: "64                   4096 "},
		{name: "open files 1024 of 1025", states: limit(unix.RLIMIT_NOFILE, 1024, 1025), shows: "/proc/self/limits 08", value: "1024                 1025 "},
		{name: "limits", states: words(limit(unix.RLIMIT_CORE, 0, 1<<20), limit(unix.RLIMIT_STACK, 4<<20, 16<<20), limit(unix.RLIMIT_CPU, 100, 200)), shows: "/proc/self/limits 01", value: "100                  200 "},
		{name: "mask", states: each("block", kept), shows: "SigBlk", value: maskOf(kept)},
		{name: "HUP and INT ignored", states: words("ignore", 1, "ignore", 2), shows: "SigIgn", value: "3"},
		{name: "all that Go keeps ignored", states: each("ignore", keptIgnored), shows: "SigIgn", value: maskOf(keptIgnored)},
		{name: "umask", states: words("umask", 0o27), shows: "Umask", value: "0027"},
		{name: "cwd", states: words("chdir", "/proc"), shows: "cwd", value: "/proc"},
		{name: "own session", states: words("session"), shows: "Threads", value: "1"},
		{name: "nice", states: words("nice", 5), shows: "nice", value: "5"},
		{name: "batch", states: words("sched", 3, 0, 0), shows: "scheduler", value: "policy 3 "},
		{name: "I/O idle", states: words("ioprio", 3, 0), shows: "ioprio", value: "24576"},
		{name: "affinity", states: words("affinity", 1), shows: "affinity", value: "1"},
		{name: "timer slack", states: words("prctl", unix.PR_SET_TIMERSLACK, 123456, 0), shows: "timer slack", value: "123456"},
		{name: "oom_score_adj", states: words("write", "/proc/self/oom_score_adj", 300), shows: "/proc/self/oom_score_adj 00", value: "300"},
		{name: "no_new_privs", states: words("prctl", unix.PR_SET_NO_NEW_PRIVS, 1, 0), shows: "NoNewPrivs", value: "1"},
		{name: "user", as: asNobody, shows: "Uid", value: "65534"},
		{name: "ambient", as: append([]string{"setpriv", "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"}, asNobody[1:]...), shows: "CapAmb", value: "0000000000000400"},
	} {
		s.Run(state.name, func(t *testing.T) {
			if len(state.as) > 0 {
				needRoot(t)
				need(t, state.as[0])
			}
			s, a := s.in(t), launch{as: state.as, states: state.states, env: superviseEnv}
			direct := s.sees(a)
			direct.shows(t, state.shows, state.value)
			delete(direct, "session") // of its own: told relative to the PID
			child := s.child(a)
			delete(child, "session")
			s.equal(byDesign(direct), byDesign(child))
		})
	}
}

// S11: what the design says is different.
func TestSuperviseGroup(t *testing.T) {
	s := newComparison(t)
	saw := s.child(launch{})
	for name, want := range map[string]string{"group": "own", "parent-death signal": strconv.Itoa(int(unix.SIGKILL)), "children": "0"} {
		if saw[name] != want {
			t.Errorf("%s is %s, want %s", name, saw[name], want)
		}
	}
	if direct := s.sees(launch{}); direct["session"] != saw["session"] {
		t.Errorf("session is %s, want %s", saw["session"], direct["session"])
	}
}

// S8: the same limit for an application that changes its user itself. As PID 1 startgate
// takes it along.
func TestSuperviseChangesUser(t *testing.T) {
	needRoot(t)
	need(t, "setpriv")
	for _, pid1 := range []bool{false, true} {
		cmd := superviseCommand(words(asNobody, program(t, "supervised"), "signals")...)
		if pid1 {
			asPID1(cmd)
		}
		p := start(t, cmd)
		p.untilOut("ready")
		app := p.app()
		t.Cleanup(func() { _ = syscall.Kill(app, unix.SIGKILL) })
		p.send(unix.SIGKILL)
		p.end()
		if pid1 {
			eventually(t, "the application's end", func() bool { return isGone(app) })
		} else if isGone(app) {
			t.Errorf("the application has ended with startgate")
		}
	}
}

// S8: the limit. The kernel takes the parent-death signal from a program that
// gets other rights than its parent's.
func TestSuperviseSetUserID(t *testing.T) {
	needRoot(t)
	need(t, "setpriv")
	s := newComparison(t)
	owned := s.setUserID()
	saw := s.child(launch{as: asNobody, program: []string{owned, "record", s.seen()}})
	saw.shows(t, "Uid", `65534\x091234\x091234`)
	saw.shows(t, "parent-death signal", "0")
}

// notInherited is what a supervised application has otherwise than one that is started
// directly, and what the recorder calls it.
var notInherited = []struct {
	what, has string
	names     []string
}{
	{"PID and parent", "those of a child of startgate", []string{"pid", "parent"}},
	{"process group", "one of its own, on a terminal the foreground group, so Ctrl-C reaches it once; in a script on a terminal the script's", []string{"group"}},
	{"leadership of a session", "startgate leads it, and hands the terminal's HUP on", []string{"session"}},
	{"nice value below 0, or a real-time policy, with `SCHED_RESET_ON_FORK`", "nice 0, and the ordinary policy", []string{"nice", "scheduler"}},
	{"parent-death signal", "KILL, for startgate's end; the inherited one comes to startgate, which hands it on", []string{"parent-death signal"}},
	{"being a subreaper", "startgate is the subreaper", []string{"subreaper"}},
	{"timers of alarm(2) and setitimer(2)", "none; startgate keeps them, and hands ALRM on", []string{"itimer 0"}},
	{"default timer slack", "the timer slack that startgate has", []string{"default timer slack"}},
	{"children of what became startgate", "startgate reaps them", []string{"children", "zombie 0"}},
}

// oddStates bring a process into as many states as can be together: at least all those
// that a supervised application does not have.
var oddStates = [][]string{
	words("session", "sched", 3, 0, 1, "nice", -5, "child", "zombie", 7, "itimer", 0, 1000, "ioprio", 2, 6, "affinity", 1, "umask", 0o27,
		"mempolicy", 1, 1, "prctl", unix.PR_SET_PDEATHSIG, 12, 0, "prctl", unix.PR_SET_CHILD_SUBREAPER, 1, 0,
		"prctl", unix.PR_SET_TIMERSLACK, 777, 0, "prctl", unix.PR_SET_THP_DISABLE, 1, 0, "prctl", unix.PR_MCE_KILL, 1, 1,
		"personality", 0x0040000, "write", "/proc/self/oom_score_adj", 300, "write", "/proc/self/coredump_filter", "0x7f",
		"prctl", unix.PR_SET_NO_NEW_PRIVS, 1, 0, "seccomp", unix.SYS_REBOOT),
	words("sched", 2, 4, 1),
}

// S11: the limit. examples/pid1 lists just what is different; with -update this writes it.
func TestSuperviseDoesNotInherit(t *testing.T) {
	rows := [][]string{{"state at the start", "what a supervised application has"}}
	var listed, differ []string
	for _, state := range notInherited {
		rows = append(rows, []string{state.what, state.has})
		listed = append(listed, state.names...)
	}
	markdown.CheckTable(t, pid1File, "supervised", rows)
	needRoot(t)
	need(t, "setpriv")
	s := newComparison(t)
	for _, states := range oddStates {
		a := launch{as: []string{"setpriv"}, states: states, env: superviseEnv}
		direct, _ := s.record(a)
		child := s.child(a)
		for name := range direct {
			if direct[name] != child[name] {
				differ = append(differ, name)
			}
		}
		for name := range child {
			if _, had := direct[name]; !had {
				differ = append(differ, name)
			}
		}
	}
	slices.Sort(listed)
	slices.Sort(differ)
	if diff := cmp.Diff(listed, slices.Compact(differ)); diff != "" {
		t.Errorf("the states that differ (-examples/pid1 +fact):\n%s", diff)
	}
}

// S11: a timer that startgate keeps.
func TestSuperviseHandsAlarmOn(t *testing.T) {
	p := start(t, newComparison(t).withPipes(launch{
		states: words("itimer", 0, 1), env: superviseEnv, program: []string{program(t, "supervised"), "signals"},
	}, binary, "--"))
	p.untilOut("signal 14")
}
