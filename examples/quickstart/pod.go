package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const before = `
A pod whose traffic goes through a sidecar that does not listen yet. Redis is up,
and the application can reach it only through the sidecar's proxy.

`

const after = `
Without startgate the application failed. With startgate it started when the
sidecar was ready, in the same process. With Istio this needs no setting: startgate
waits for http://localhost:15020/healthz/ready by itself.
`

// pod is the pod of the play.
type pod struct {
	*timeline
	sidecar *sidecar
	dir     string // has startgate and app
}

// perform sets up the pod and shows what happens in it.
func perform(ctx context.Context, dir string) error {
	redis, err := startRedis()
	if err != nil {
		return err
	}
	defer redis.Close()
	p := &pod{timeline: &timeline{out: os.Stdout, began: time.Now()}, dir: dir}
	p.sidecar, err = newSidecar(p.timeline, redis.Addr().String())
	if err != nil {
		return err
	}
	fmt.Print(before)
	if err := p.tell(ctx); err != nil {
		return err
	}
	fmt.Print(after)
	return nil
}

// tell starts the application without startgate, then with it. The sidecar's clock starts
// at the second start, so that the story is the same on a slow machine.
func (p *pod) tell(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer end(nil)

	p.add("sidecar", "is being started, and nothing listens on its ports")
	app := []string{"./app", "--redis", p.sidecar.proxy}
	if err := p.start(ctx, nil, app); !errors.As(err, new(*exec.ExitError)) {
		return stopped(ctx, errors.Join(errors.New("the application did not fail without startgate"), err))
	}
	running.Go(func() {
		if err := p.sidecar.run(ctx); err != nil {
			end(err)
		}
	})
	settings := []string{"STARTGATE_WAIT_FOR=http://localhost:" + port(p.sidecar.agent) + "/healthz/ready"}
	if err := p.start(ctx, settings, append([]string{"./startgate", "--"}, app...)); err != nil {
		return stopped(ctx, fmt.Errorf("the application failed behind startgate: %w", err))
	}
	return nil
}

// start runs a command as the kubelet runs a container.
func (p *pod) start(ctx context.Context, settings, argv []string) error {
	p.add("kubelet", "$ "+strings.Join(append(settings, argv...), " "))
	cmd := command(ctx, argv[0], argv[1:]...)
	cmd.Dir = p.dir
	cmd.Env = append(withoutSettings(os.Environ()), settings...)
	out := &output{timeline: p.timeline}
	cmd.Stdout, cmd.Stderr = out, out // one pipe, so that the order of lines is kept
	if err := cmd.Start(); err != nil {
		return err
	}
	err := cmd.Wait()
	p.add("kubelet", fmt.Sprintf("process %d ended: %v", cmd.Process.Pid, cmd.ProcessState))
	return err
}

// withoutSettings leaves out what the user's shell has set for startgate.
func withoutSettings(environ []string) []string {
	return slices.DeleteFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, "STARTGATE_") })
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
