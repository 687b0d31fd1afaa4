package tests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// leaver is a stand-in for one that can be told to quit.
type leaver struct {
	url string

	mu    sync.Mutex
	posts []time.Time
}

func (s *leaver) told() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posts
}

// newLeaver starts one that does this when it is told to quit; closing it makes
// its port refuse.
func newLeaver(t *testing.T, quit func(w http.ResponseWriter, r *http.Request, server *httptest.Server)) *leaver {
	t.Helper()
	s := &leaver{}
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		s.mu.Lock()
		s.posts = append(s.posts, time.Now())
		s.mu.Unlock()
		quit(w, r, server)
	})
	server.Start()
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func quitsAtOnce(w http.ResponseWriter, _ *http.Request, server *httptest.Server) {
	_ = http.NewResponseController(w).Flush() // it answers, and is gone
	go server.Config.Close()
}

func drains(_ http.ResponseWriter, _ *http.Request, server *httptest.Server) {
	time.AfterFunc(3*time.Second, func() { server.Config.Close() })
}

func hangs(_ http.ResponseWriter, r *http.Request, _ *httptest.Server) { <-r.Context().Done() }

func answers(status int, body string) func(http.ResponseWriter, *http.Request, *httptest.Server) {
	return func(w http.ResponseWriter, _ *http.Request, _ *httptest.Server) { http.Error(w, body, status) }
}

// supervised runs the real binary with these settings, and returns its exit code,
// what it logged, and how long it took.
func supervised(t *testing.T, settings []string, argv ...string) (int, string, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--"}, argv...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "STARTGATE_WAIT_FOR=none"}, settings...)
	var log bytes.Buffer
	cmd.Stderr = &log
	began := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), log.String(), time.Since(began)
}

func TestQuit(t *testing.T) {
	refusing := func() string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		return "http://" + listener.Addr().String() + "/quit"
	}
	for _, test := range []struct {
		name string
		quit func(http.ResponseWriter, *http.Request, *httptest.Server) // nil: nobody is there
		log  string
		most time.Duration
	}{
		{"gone at once", quitsAtOnce, `level=INFO msg="http://127.0.0.1:\d+ is gone" after=\d+m?s`, time.Second},
		{"drains", drains, `level=INFO msg="http://127.0.0.1:\d+ accepted the quit and is still draining"`, 2 * time.Second},
		{"404", answers(404, "shutdown endpoint is not enabled"), `level=WARN msg="http://127.0.0.1:\d+ did not accept the quit: POST http://127.0.0.1:\d+: status 404: \\"shutdown endpoint is not enabled\\"`, time.Second},
		{"405", answers(405, ""), `level=WARN .*did not accept the quit: .*status 405`, time.Second},
		{"500", answers(500, ""), `level=WARN .*did not accept the quit: .*status 500`, time.Second},
		{"hangs", hangs, `level=WARN .*did not answer the quit in 1(.\d+)?s: .*no answer in time`, 2 * time.Second},
		{"resets", func(w http.ResponseWriter, _ *http.Request, _ *httptest.Server) { panic(http.ErrAbortHandler) }, `level=WARN .*did not answer the quit in 1(.\d+)?s: .*closed without an answer`, 2 * time.Second},
		{"never seen", nil, `level=WARN .*was never seen, and may still start and keep the pod: POST .*: connection refused`, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, s := refusing(), (*leaver)(nil)
			if test.quit != nil {
				s = newLeaver(t, test.quit)
				url = s.url
			}
			code, log, took := supervised(t, []string{"STARTGATE_QUIT=" + url, "STARTGATE_QUIT_TIMEOUT=1s"}, "sh", "-c", "exit 7")
			if code != 7 {
				t.Errorf("exit code is %d, want the application's 7", code)
			}
			if !regexp.MustCompile(test.log).MatchString(log) {
				t.Errorf("log is\n%swant %s", log, test.log)
			}
			if s != nil && len(s.told()) != 1 && test.name != "resets" {
				t.Errorf("told %d times, want once", len(s.told()))
			}
			// A machine may be busy.
			if took > test.most+3*time.Second {
				t.Errorf("took %v, want at most %v", took, test.most)
			}
		})
	}
}

// The quits are sent however the way to the application or the application ends.
func TestQuitOn(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings []string
		argv     []string
		code     int
		success  bool // whether it is one
	}{
		{"success", nil, []string{"true"}, 0, true},
		{"failure", nil, []string{"false"}, 1, false},
		{"killed", nil, []string{"sh", "-c", "kill -KILL $$"}, 137, false},
		{"not found", nil, []string{"./missing"}, 127, false},
		{"not a program", nil, []string{"/etc/passwd"}, 126, false},
		{"wait failed", []string{"STARTGATE_WAIT_FOR=file:///missing", "STARTGATE_TIMEOUT=50ms"}, []string{"true"}, 124, false},
		{"started all the same", []string{"STARTGATE_WAIT_FOR=file:///missing", "STARTGATE_TIMEOUT=50ms", "STARTGATE_ON_TIMEOUT=start"}, []string{"true"}, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, on := range []string{"always", "success"} {
				s := newLeaver(t, quitsAtOnce)
				settings := append([]string{"STARTGATE_QUIT=" + s.url, "STARTGATE_QUIT_ON=" + on}, test.settings...)
				code, log, _ := supervised(t, settings, test.argv...)
				want := 0
				if test.success || on == "always" {
					want = 1
				}
				if code != test.code || len(s.told()) != want {
					t.Errorf("%s: exit code is %d and the sidecar was told %d times, want %d and %d; log:\n%s", on, code, len(s.told()), test.code, want, log)
				}
				if want == 0 && !strings.Contains(log, "not telling "+s.url+" to quit: STARTGATE_QUIT_ON=success") {
					t.Errorf("%s: nothing was said about the quit; log:\n%s", on, log)
				}
			}
		})
	}
}

// A setting that is wrong is found before anything is done.
func TestQuitNotWithoutSettings(t *testing.T) {
	s := newLeaver(t, quitsAtOnce)
	code, log, _ := supervised(t, []string{"STARTGATE_QUIT=" + s.url, "STARTGATE_TIMEOUT=5"}, "true")
	if code != codeFailed || len(s.told()) != 0 {
		t.Errorf("exit code is %d and the sidecar was told %d times, want 125 and 0; log:\n%s", code, len(s.told()), log)
	}
}

// interrupt starts the real binary, sends a signal at each of these lines of its
// log, and returns its exit code and the log.
func interrupt(t *testing.T, settings, lines []string, argv ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"--"}, argv...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "STARTGATE_WAIT_FOR=none"}, settings...)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	var log strings.Builder
	buffer := make([]byte, 4096)
	for {
		n, err := reader.Read(buffer)
		log.Write(buffer[:n])
		if len(lines) > 0 && strings.Contains(log.String(), lines[0]) {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			lines = lines[1:]
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), log.String()
}

func TestQuitAfterASignal(t *testing.T) {
	s := newLeaver(t, quitsAtOnce)
	settings := []string{"STARTGATE_QUIT=" + s.url, "STARTGATE_WAIT_FOR=file:///missing"}
	code, log := interrupt(t, settings, []string{"is not ready yet"}, "true")
	if code != 143 || len(s.told()) != 1 {
		t.Errorf("exit code is %d and the sidecar was told %d times, want 143 and 1; log:\n%s", code, len(s.told()), log)
	}

	// The application's end by the signal is its own.
	s = newLeaver(t, quitsAtOnce)
	code, log = interrupt(t, []string{"STARTGATE_QUIT=" + s.url}, []string{"APP UP"}, "sh", "-c", `trap 'exit 9' TERM; echo APP UP >&2; while :; do sleep 0.05; done`)
	if code != 9 || len(s.told()) != 1 {
		t.Errorf("exit code is %d and the sidecar was told %d times, want 9 and 1; log:\n%s", code, len(s.told()), log)
	}
}

// A signal while the sidecars are told to quit ends that now.
func TestQuitIsEndedByASignal(t *testing.T) {
	s := newLeaver(t, hangs)
	began := time.Now()
	code, log := interrupt(t, []string{"STARTGATE_QUIT=" + s.url, "STARTGATE_QUIT_TIMEOUT=60s"}, []string{"sh is over"}, "sh", "-c", "exit 7")
	if code != 7 || !strings.Contains(log, "to quit was ended by SIGTERM") || time.Since(began) > 30*time.Second {
		t.Errorf("exit code is %d after %v, want 7 at once; log:\n%s", code, time.Since(began), log)
	}
}

// Of two sidecars of which one hangs, the other is told at once.
func TestQuitTellsAllAtOnce(t *testing.T) {
	slow := newLeaver(t, hangs)
	quick := newLeaver(t, quitsAtOnce)
	began := time.Now()
	code, log, _ := supervised(t, []string{"STARTGATE_QUIT=" + slow.url + "," + quick.url, "STARTGATE_QUIT_TIMEOUT=2s"}, "true")
	if code != 0 || len(quick.told()) != 1 || quick.told()[0].Sub(began) > 1500*time.Millisecond {
		t.Errorf("exit code is %d, and the quick one was told at %v after %v; log:\n%s", code, quick.told(), began, log)
	}
}
