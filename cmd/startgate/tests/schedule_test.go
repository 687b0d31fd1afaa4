//go:build linux

package tests

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// phase is what a sidecar does for some time.
type phase struct {
	does string
	long time.Duration
}

// doings are what a sidecar may do.
var doings = []string{"refuse", "hang", "500", "503", "reset", "200"}

// acted is a sidecar that goes through phases and then does the last thing for ever.
type acted struct {
	addr    string
	doing   atomic.Value // string
	asked   atomic.Int64
	readied atomic.Int64 // answers of 200 that were begun
}

// act lets it go through its phases, until the test is over.
func (a *acted) act(t *testing.T, phases []phase) {
	var listener net.Listener
	refuse := func() {
		if listener != nil {
			listener.Close()
			listener = nil
		}
	}
	defer refuse()
	for i, p := range phases {
		a.doing.Store(p.does)
		switch {
		case p.does == "refuse":
			refuse()
		case listener == nil:
			var err error
			if listener, err = net.Listen("tcp", a.addr); err != nil {
				continue // somebody else has the port: it refuses no more, and is not ready
			}
			go a.serve(t, listener)
		}
		if i == len(phases)-1 {
			<-t.Context().Done()
			return
		}
		select {
		case <-time.After(p.long):
		case <-t.Context().Done():
			return
		}
	}
}

func (a *acted) serve(t *testing.T, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				return // somebody knocked
			}
			a.asked.Add(1)
			switch doing := a.doing.Load().(string); doing {
			case "hang":
				<-t.Context().Done()
			case "refuse", "reset":
				_ = conn.(*net.TCPConn).SetLinger(0)
			default:
				if doing == "200" {
					a.readied.Add(1)
				}
				fmt.Fprintf(conn, "HTTP/1.1 %s Whatever\r\nContent-Length: 0\r\n\r\n", doing)
			}
		}()
	}
}

// Whatever a sidecar does, and whatever the settings are: the wait ends by its time,
// and the application starts once after an answer of 200, or once with
// ON_TIMEOUT=start, or not at all.
func TestAnyScheduleAnySettings(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range 30 {
		var phases []phase
		for range 1 + random.IntN(6) {
			phases = append(phases, phase{doings[random.IntN(len(doings))], upTo(random, 150*time.Millisecond)})
		}
		limit, onTimeout := 50*time.Millisecond+upTo(random, 700*time.Millisecond), []string{"fail", "start"}[random.IntN(2)]
		settings := []string{
			"PATH=" + os.Getenv("PATH"),
			"STARTGATE_TIMEOUT=" + limit.String(),
			"STARTGATE_ON_TIMEOUT=" + onTimeout,
			"STARTGATE_ATTEMPT_TIMEOUT=" + (10*time.Millisecond + upTo(random, 300*time.Millisecond)).String(),
			"STARTGATE_BACKOFF_MAX=" + (10*time.Millisecond + upTo(random, 300*time.Millisecond)).String(),
			fmt.Sprintf("STARTGATE_SUPERVISE=%t", random.IntN(2) == 0),
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			a := &acted{addr: "127.0.0.1:" + freePort(t)}
			a.doing.Store("refuse")
			acting := make(chan struct{})
			go func() { defer close(acting); a.act(t, phases) }()
			t.Cleanup(func() { <-acting })
			cmd := exec.CommandContext(t.Context(), binary, "--", "sh", "-c", "echo started; exit 42")
			cmd.Env = append(settings, "STARTGATE_WAIT_FOR=http://"+a.addr+"/")
			began := time.Now()
			i := begin(t, cmd)
			code := i.code()
			took, readied, out := time.Since(began), a.readied.Load(), i.out.String()
			switch {
			case code == 42 && out == "started\n" && (readied > 0 || onTimeout == "start"):
			case code == 124 && out == "" && onTimeout == "fail" && took >= limit:
				if text := i.log.String(); strings.Contains(text, "is ready") {
					t.Error("it says that it is ready, and gives up")
				}
			default:
				t.Errorf("code %d after %v, with %d answers of 200; it prints %q", code, took, readied, out)
			}
			if took > limit+patience/2 {
				t.Errorf("it took %v of %v", took, limit)
			}
			if most := int64(took/(10*time.Millisecond)) + 2*int64(len(phases)) + 2; a.asked.Load() > most {
				t.Errorf("%d requests in %v, want at most %d", a.asked.Load(), took, most)
			}
			if t.Failed() {
				t.Logf("seed %d, settings %v, the sidecar: %v\n%s", seed, settings, phases, i.log)
			}
		})
	}
}

func upTo(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}
