package tests

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/startgate/startgate/examples/cluster/node"
)

// patience is how long a test waits for something that usually takes seconds. It is
// long enough for a machine that is busy.
const patience = 3 * time.Minute

var (
	cluster *node.Cluster
	missing []string // what the machine lacks for a cluster
)

func TestMain(m *testing.M) {
	node.Main()
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() < "5" {
		_ = flag.Set("test.parallel", "5") // pods at a time: most of the time they wait
	}
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func testMain(m *testing.M) (code int, err error) {
	if missing = node.Missing(); len(missing) > 0 || flag.Lookup("test.list").Value.String() != "" {
		return m.Run(), nil
	}
	endWithParent()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	say := func(text string) { fmt.Fprintln(os.Stderr, text) }
	if cluster, err = node.Start(ctx, node.Options{Version: os.Getenv("KUBERNETES"), Say: say}); err != nil {
		return 1, err
	}
	say(fmt.Sprintf("the cluster is up after %.1f s", time.Since(began).Seconds()))
	defer func() {
		if stopped := cluster.Stop(); err == nil {
			err = stopped
		}
	}()
	if err := startInjectors(ctx); err != nil {
		return 1, err
	}
	stop() // from here on a signal ends this process at once, and with it the cluster
	return m.Run(), nil
}

// endWithParent ends this process when its parent has ended: a signal to go test alone does not reach it.
func endWithParent() {
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(time.Second)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	}()
}

// need skips the test on a machine that cannot have a cluster. With NOSKIP=1, as in CI,
// the test fails instead.
func need(t testing.TB) {
	t.Helper()
	switch lacks := strings.Join(missing, ", "); {
	case lacks == "":
	case os.Getenv("NOSKIP") != "":
		t.Fatalf("needs %s", lacks)
	default:
		t.Skipf("needs %s", lacks)
	}
}
