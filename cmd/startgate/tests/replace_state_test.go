//go:build linux

package tests

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// odd is one odd state that a process can be in.
type odd struct {
	name   string
	as     []string // what runs the launcher
	states []string // what the launcher sets up
	shows  string   // what the program then sees by this name
	value  string   // and at least this of its value
}

// test holds every state to be the same through startgate.
func (o odd) test(s *stage) {
	s.Run(o.name, func(t *testing.T) {
		if len(o.as) > 0 {
			need(t, o.as[0], "root")
		}
		s.in(t).same(start{as: o.as, states: o.states}).shows(t, o.shows, o.value)
	})
}

// R3.
func TestReplaceKeepsPlace(t *testing.T) {
	s := newStage(t)
	for _, state := range []odd{
		{name: "as started", shows: "Threads", value: "1"},
		{name: "own session", states: set("session"), shows: "session", value: "own"},
		{name: "own group", states: set("group"), shows: "group", value: "own"},
		{name: "controlling terminal", states: set("terminal"), shows: "terminal", value: "foreground"},
		{name: "background of a terminal", states: set("background"), shows: "terminal", value: "background"},
		{name: "cwd", states: set("chdir", "/proc"), shows: "cwd", value: "/proc"},
		{name: "cwd removed", states: set("gone", s.dir+"/gone"), shows: "cwd", value: "(deleted)"},
		{name: "umask 0", states: set("umask", 0), shows: "Umask", value: "0000"},
		{name: "umask 0777", states: set("umask", 0o777), shows: "Umask", value: "0777"},
		{name: "children", states: set("child", "child"), shows: "children", value: "2"},
		{name: "dead child", states: set("zombie", 7), shows: "zombie 0", value: "700"},
		{name: "timers", states: set("itimer", 0, 1000, "itimer", 1, 2000, "itimer", 2, 3000), shows: "itimer 2", value: "each 3000 s, runs"},
		{name: "user", as: nobody, shows: "Uid", value: "65534"},
		{name: "groups", as: []string{"setpriv", "--regid=7", "--groups=5,6"}, shows: "Groups", value: "5 6"},
	} {
		state.test(s)
	}
}

// R4.
func TestReplaceKeepsDescriptors(t *testing.T) {
	s := newStage(t)
	file := s.dir + "/file"
	open := func(fd, flags int) []string { return set("open", fd, file, flags|unix.O_CREAT) }
	var all []string
	for fd := 3; fd < 40; fd++ {
		all = set(all, open(fd, unix.O_RDWR))
	}
	for _, state := range []odd{
		{name: "5, 9 and 100", states: set(open(5, unix.O_RDONLY), open(9, unix.O_WRONLY|unix.O_APPEND), open(100, unix.O_RDWR)), shows: "descriptor 100", value: "/file flags 100002"},
		{name: "3 to 39", states: all, shows: "descriptor 39", value: "/file"},
		{name: "position", states: set(open(7, unix.O_RDWR), "seek", 7, 1234), shows: "descriptor 7", value: "at 1234"},
		{name: "non-blocking", states: set(open(0, unix.O_RDWR|unix.O_NONBLOCK), open(9, unix.O_RDWR|unix.O_NONBLOCK)), shows: "descriptor 9", value: "flags 104002"},
		{name: "terminal", states: set("terminal"), shows: "descriptor 1", value: "/dev/pts/ flags 100002"},
		{name: "non-blocking terminal", states: set("terminal", "flags", 0, unix.O_NONBLOCK), shows: "descriptor 2", value: "/dev/pts/ flags 104002"},
		{name: "append to a log", states: set(open(1, unix.O_WRONLY|unix.O_APPEND), open(2, unix.O_WRONLY|unix.O_APPEND)), shows: "descriptor 2", value: "flags 102001"},
		{name: "read-only 0, 1, 2", states: set("open", 0, "/dev/null", 0, "open", 1, "/dev/null", 0, "open", 2, "/dev/null", 0), shows: "descriptor 2", value: "flags 100000"},
		{name: "full device", states: set("open", 2, "/dev/full", unix.O_WRONLY), shows: "descriptor 2", value: "/dev/full"},
		{name: "limit just above", states: set(open(6, unix.O_RDWR), "limit", unix.RLIMIT_NOFILE, 16, 16), shows: "descriptor 6", value: "/file"},
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
		s.same(start{stdio: [3]*os.File{2: w}}).shows(t, "descriptor 2", "pipe:")
	})
}

// keepsPipes holds 0, 1, 2 and further pipes and sockets to keep their flags, and
// to be the same pipes.
func keepsPipes(s *stage, flags int) {
	var a start
	state := func(fd int) { a.states = set(a.states, "flags", fd, flags) }
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

// R5.
func TestReplaceKeepsLimits(t *testing.T) {
	s := newStage(t)
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
		all = set(all, "limit", l.resource, l.soft, l.hard)
	}
	odd{name: "all", states: all, shows: "/proc/self/limits 16", value: "1048576              2097152"}.test(s)
	for _, files := range [][2]int{{64, 4096}, {1024, 1024}, {1024, 1025}, {16, 16}, {999, 1000}, {8, 9}} {
		odd{
			name:   fmt.Sprintf("open files %d of %d", files[0], files[1]),
			states: set("limit", unix.RLIMIT_NOFILE, files[0], files[1]),
			shows:  "/proc/self/limits 08", value: fmt.Sprintf("Max open files            %-20d %-20d", files[0], files[1]),
		}.test(s)
	}
}

// R14, a limit: Go's runtime opens /dev/null where 0, 1 or 2 is closed. Whether
// it was closed is then no longer to be seen.
func TestReplaceClosedStandardDescriptors(t *testing.T) {
	s := newStage(t)
	for _, closed := range [][]int{{0}, {1}, {2}, {0, 1}, {0, 1, 2}} {
		t.Run(fmt.Sprint(closed), func(t *testing.T) {
			var states []string
			opened := func(want sight) {
				for _, fd := range closed {
					want["descriptor "+strconv.Itoa(fd)] = "/dev/null flags 100002 cloexec 0 at 0"
				}
			}
			for _, fd := range closed {
				states = set(states, "close", fd)
			}
			saw := s.in(t).same(start{states: states}, opened)
			for _, fd := range closed {
				if is, open := saw["descriptor "+strconv.Itoa(fd)]; open {
					t.Errorf("the launcher did not close %d: it is %s", fd, is)
				}
			}
		})
	}
}

// R9.
func TestReplaceLeavesNothing(t *testing.T) {
	s := newStage(t)
	ready := readyServer(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	for name, env := range map[string][]string{
		"nothing to wait for": nil,
		"after probes":        {"STARTGATE_WAIT_FOR=" + ready + "," + ready + "/again"},
		"with a debug log":    {"STARTGATE_WAIT_FOR=" + ready, "STARTGATE_LOG_LEVEL=debug"},
		"with metrics":        {"STARTGATE_WAIT_FOR=" + ready, "STARTGATE_METRICS=" + free.Addr().String() + "," + s.dir + "/it.prom"},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			a := start{env: append(plain[:1:1], env...)}
			if env == nil {
				a.env = plain
			}
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
