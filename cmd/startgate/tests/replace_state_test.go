//go:build linux

package tests

// R3 to R5, R9 and R14: place, descriptors and limits stay, and nothing of startgate does.

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// processState is one odd state that a process can be in.
type processState struct {
	name   string
	as     []string // what runs the launcher
	states []string // what the launcher sets up
	shows  string   // what the program then sees by this name
	value  string   // and at least this of its value
}

// test holds every state to be the same through startgate.
func (o processState) test(s *comparison) {
	s.Run(o.name, func(t *testing.T) {
		if len(o.as) > 0 {
			needRoot(t)
			need(t, o.as[0])
		}
		s.in(t).same(launch{as: o.as, states: o.states}).shows(t, o.shows, o.value)
	})
}

// R3: and what else says where in the system a process is.
func TestReplaceKeepsPlace(t *testing.T) {
	s := newComparison(t)
	for _, state := range []processState{
		{name: "as started", shows: "Threads", value: "1"},
		{name: "own session", states: words("session"), shows: "session", value: "own"},
		{name: "own group", states: words("group"), shows: "group", value: "own"},
		{name: "controlling terminal", states: words("terminal"), shows: "terminal", value: "foreground"},
		{name: "background of a terminal", states: words("background"), shows: "terminal", value: "background"},
		{name: "cwd", states: words("chdir", "/proc"), shows: "cwd", value: "/proc"},
		{name: "cwd removed", states: words("gone", s.dir+"/gone"), shows: "cwd", value: "(deleted)"},
		{name: "umask 0", states: words("umask", 0), shows: "Umask", value: "0000"},
		{name: "umask 0777", states: words("umask", 0o777), shows: "Umask", value: "0777"},
		{name: "children", states: words("child", "child"), shows: "children", value: "2"},
		{name: "dead child", states: words("zombie", 7), shows: "zombie 0", value: "700"},
		{name: "timers", states: words("itimer", 0, 1000, "itimer", 1, 2000, "itimer", 2, 3000), shows: "itimer 2", value: "each 3000 s, runs"},
		{name: "user", as: asNobody, shows: "Uid", value: "65534"},
		{name: "groups", as: []string{"setpriv", "--regid=7", "--groups=5,6"}, shows: "Groups", value: "5 6"},
	} {
		state.test(s)
	}
}

// R4: files, pipes, sockets and terminals.
func TestReplaceKeepsDescriptors(t *testing.T) {
	s := newComparison(t)
	file := s.dir + "/file"
	open := func(fd, flags int) []string { return words("open", fd, file, flags|unix.O_CREAT) }
	var all []string
	for fd := 3; fd < 40; fd++ {
		all = words(all, open(fd, unix.O_RDWR))
	}
	for _, state := range []processState{
		{name: "5, 9 and 100", states: words(open(5, unix.O_RDONLY), open(9, unix.O_WRONLY|unix.O_APPEND), open(100, unix.O_RDWR)), shows: "descriptor 100", value: "/file flags 100002"},
		{name: "3 to 39", states: all, shows: "descriptor 39", value: "/file"},
		{name: "position", states: words(open(7, unix.O_RDWR), "seek", 7, 1234), shows: "descriptor 7", value: "at 1234"},
		{name: "non-blocking", states: words(open(0, unix.O_RDWR|unix.O_NONBLOCK), open(9, unix.O_RDWR|unix.O_NONBLOCK)), shows: "descriptor 9", value: "flags 104002"},
		{name: "terminal", states: words("terminal"), shows: "descriptor 1", value: "/dev/pts/ flags 100002"},
		{name: "non-blocking terminal", states: words("terminal", "flags", 0, unix.O_NONBLOCK), shows: "descriptor 2", value: "/dev/pts/ flags 104002"},
		{name: "append to a log", states: words(open(1, unix.O_WRONLY|unix.O_APPEND), open(2, unix.O_WRONLY|unix.O_APPEND)), shows: "descriptor 2", value: "flags 102001"},
		{name: "read-only 0, 1, 2", states: words("open", 0, "/dev/null", 0, "open", 1, "/dev/null", 0, "open", 2, "/dev/null", 0), shows: "descriptor 2", value: "flags 100000"},
		{name: "full device", states: words("open", 2, "/dev/full", unix.O_WRONLY), shows: "descriptor 2", value: "/dev/full"},
		{name: "limit just above", states: words(open(6, unix.O_RDWR), "limit", unix.RLIMIT_NOFILE, 16, 16), shows: "descriptor 6", value: "/file"},
	} {
		state.test(s)
	}
	for _, flags := range []int{0, unix.O_NONBLOCK} {
		t.Run(fmt.Sprintf("pipes with flags %#o", flags), func(t *testing.T) { keepsPipes(s.in(t), flags) })
	}
	t.Run("reader of standard error gone", func(t *testing.T) {
		s := s.in(t)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		r.Close()
		s.same(launch{stdio: [3]*os.File{2: w}}).shows(t, "descriptor 2", "pipe:")
	})
}

// keepsPipes holds 0, 1, 2 and further pipes and sockets to keep their flags, and
// to be the same pipes.
func keepsPipes(s *comparison, flags int) {
	var a launch
	state := func(fd int) { a.states = words(a.states, "flags", fd, flags) }
	for i := range a.stdio {
		r, w, err := os.Pipe()
		if err != nil {
			s.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		a.stdio[i] = w
		if i == 0 {
			a.stdio[i] = r
		}
		state(i)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.Fatal(err)
	}
	for i, fd := range pair {
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		a.extra = append(a.extra, f)
		state(3 + i)
	}
	saw := s.same(a)
	saw.shows(s.T, "descriptor 2", "pipe:")
	saw.shows(s.T, "descriptor 3", fmt.Sprintf("flags %o ", unix.O_RDWR|flags))
}

// R5: all of them, and that of open files as low as Go can bear.
func TestReplaceKeepsLimits(t *testing.T) {
	s := newComparison(t)
	const mega = 1 << 20
	limits := []struct {
		resource   int
		soft, hard uint64
	}{
		{unix.RLIMIT_CPU, 100, 200},
		{unix.RLIMIT_FSIZE, 64 * mega, 128 * mega},
		{unix.RLIMIT_DATA, 4096 * mega, 8192 * mega},
		{unix.RLIMIT_STACK, 4 * mega, 16 * mega},
		{unix.RLIMIT_CORE, 0, mega},
		{unix.RLIMIT_RSS, 1024 * mega, 2048 * mega},
		{unix.RLIMIT_NPROC, 5000, 6000},
		{unix.RLIMIT_NOFILE, 300, 3000},
		{unix.RLIMIT_MEMLOCK, mega, 2 * mega},
		{unix.RLIMIT_AS, 16384 * mega, 32768 * mega},
		{unix.RLIMIT_LOCKS, 10, 20},
		{unix.RLIMIT_SIGPENDING, 100, 200},
		{unix.RLIMIT_MSGQUEUE, 1000, 2000},
		{unix.RLIMIT_RTTIME, mega, 2 * mega},
	}
	var all []string
	for _, l := range limits {
		all = words(all, "limit", l.resource, l.soft, l.hard)
	}
	processState{name: "all", states: all, shows: "/proc/self/limits 16", value: "1048576              2097152"}.test(s)
	for _, files := range [][2]int{{64, 4096}, {1024, 1024}, {1024, 1025}, {16, 16}, {999, 1000}, {8, 9}} {
		processState{
			name:   fmt.Sprintf("open files %d of %d", files[0], files[1]),
			states: words("limit", unix.RLIMIT_NOFILE, files[0], files[1]),
			shows:  "/proc/self/limits 08", value: fmt.Sprintf("Max open files            %-20d %-20d", files[0], files[1]),
		}.test(s)
	}
}

// R14: a limit. Go's runtime opens /dev/null where 0, 1 or 2 is closed. Whether
// it was closed is then no longer to be seen.
func TestReplaceClosedStandardDescriptors(t *testing.T) {
	s := newComparison(t)
	for _, closed := range [][]int{{0}, {1}, {2}, {0, 1}, {0, 1, 2}} {
		t.Run(fmt.Sprint(closed), func(t *testing.T) {
			var states []string
			opened := func(want snapshot) {
				for _, fd := range closed {
					want["descriptor "+strconv.Itoa(fd)] = "/dev/null flags 100002 cloexec 0 at 0"
				}
			}
			for _, fd := range closed {
				states = words(states, "close", fd)
			}
			saw := s.in(t).same(launch{states: states}, opened)
			for _, fd := range closed {
				if is, open := saw["descriptor "+strconv.Itoa(fd)]; open {
					t.Errorf("the launcher did not close %d: it is %s", fd, is)
				}
			}
		})
	}
}

// R9: also after probes and with a server of metrics.
func TestReplaceLeavesNothing(t *testing.T) {
	s := newComparison(t)
	ready := startReady(t, "").url()
	for name, settings := range map[string][]string{
		"nothing to wait for": {"WAIT_FOR=none"},
		"after probes":        {"WAIT_FOR=" + ready + "," + ready + "/again"},
		"with a debug log":    {"WAIT_FOR=" + ready, "LOG_LEVEL=debug"},
		"with metrics":        {"WAIT_FOR=" + ready, "METRICS=" + freeAddr(t) + "," + s.dir + "/it.prom"},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			a := launch{env: environ(settings...)}
			saw := s.sees(a, binary, "--")
			for name, want := range map[string]string{"Threads": "1", "children": "0", "SigCgt": "0000000000000000", "SigPnd": "0000000000000000", "ShdPnd": "0000000000000000"} {
				if saw[name] != want {
					t.Errorf("%s is %s, want %s", name, saw[name], want)
				}
			}
			s.equal(s.sees(a), saw)
		})
	}
}
