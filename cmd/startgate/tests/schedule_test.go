//go:build linux

package tests

// Random schedules of a sidecar, and random settings.

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "of the random schedules; 0 is a new one")

// phase is what a sidecar does for some time.
type phase struct {
	does string
	long time.Duration
}

// doings are what a sidecar may do.
var doings = []string{"refuse", "hang", "500", "503", "reset", "200"}

// scriptedSidecar goes through phases and then does the last thing for ever.
type scriptedSidecar struct {
	*sidecar
	doing   atomic.Value // string
	readied atomic.Int64 // answers of 200 that were begun
}

func newScriptedSidecar(t *testing.T) *scriptedSidecar {
	t.Helper()
	s := &scriptedSidecar{sidecar: newSidecar(t, "")}
	s.answer = func(sidecar *sidecar, conn net.Conn) {
		switch doing := s.doing.Load().(string); doing {
		case "hang":
			hang(sidecar, conn)
		case "refuse", "reset":
			reset(sidecar, conn)
		default:
			if doing == "200" {
				s.readied.Add(1)
			}
			code, _ := strconv.Atoi(doing)
			status(code, "")(sidecar, conn)
		}
	}
	return s
}

// play goes through the phases, until the context ends.
func (s *scriptedSidecar) play(ctx context.Context, phases []phase) {
	listens := false
	for _, p := range phases {
		s.doing.Store(p.does)
		switch now := p.does != "refuse"; {
		case now && !listens:
			s.listen()
		case !now && listens:
			s.refuse()
		}
		listens = p.does != "refuse"
		select {
		case <-time.After(p.long):
		case <-ctx.Done():
			return
		}
	}
}

// Whatever a sidecar does, and whatever the settings are: the wait ends by its time,
// and the application starts once after an answer of 200, or once with
// ON_TIMEOUT=start, or not at all.
func TestAnyScheduleAnySettings(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range 30 {
		var phases []phase
		for range 1 + random.IntN(6) {
			phases = append(phases, phase{doings[random.IntN(len(doings))], upTo(random, 150*time.Millisecond)})
		}
		limit, onTimeout := 50*time.Millisecond+upTo(random, 700*time.Millisecond), []string{"fail", "start"}[random.IntN(2)]
		settings := []string{
			"TIMEOUT=" + limit.String(),
			"ON_TIMEOUT=" + onTimeout,
			"ATTEMPT_TIMEOUT=" + (10*time.Millisecond + upTo(random, 300*time.Millisecond)).String(),
			"BACKOFF_MAX=" + (10*time.Millisecond + upTo(random, 300*time.Millisecond)).String(),
			fmt.Sprintf("SUPERVISE=%t", random.IntN(2) == 0),
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			a := newScriptedSidecar(t)
			var playing sync.WaitGroup
			playing.Go(func() { a.play(t.Context(), phases) })
			t.Cleanup(playing.Wait)
			p := startGate(t, append(settings, "WAIT_FOR="+a.url()), "sh", "-c", "echo started; exit 42")
			code := p.code()
			took, readied, out := p.took, a.readied.Load(), p.out.String()
			switch {
			case code == 42 && out == "started\n" && (readied > 0 || onTimeout == "start"):
			case code == 124 && out == "" && onTimeout == "fail" && took >= limit:
				p.logHasNot("is ready")
			default:
				t.Errorf("code %d after %v, with %d answers of 200; it prints %q", code, took, readied, out)
			}
			if took > limit+2*soon {
				t.Errorf("it took %v of %v", took, limit)
			}
			if most := int64(took/(10*time.Millisecond)) + 2*int64(len(phases)) + 2; a.asked.Load() > most {
				t.Errorf("%d requests in %v, want at most %d", a.asked.Load(), took, most)
			}
			if t.Failed() {
				t.Logf("-seed=%d, settings %v, the sidecar: %v\n%s", seed, settings, phases, p)
			}
		})
	}
}

func upTo(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}
