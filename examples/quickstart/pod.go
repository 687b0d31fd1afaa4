package main

import (
	"context"
	"errors"
	"fmt"
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

// portsTaken explains what is different where Istio's ports are not free.
const portsTaken = `Another program on this machine has Istio's port %d or %d. So this sidecar has other
ports, and startgate gets a URL. It asks a URL twice a second; with Istio's own ports it
sees at once when Envoy opens port %[2]d.

`

const after = `
Without startgate the application failed.
With startgate it started %d ms after the sidecar was ready, in the same process.
`

const noSetting = `It needed no setting: startgate waits for Istio's sidecar (http://localhost:15020/healthz/ready)
unless you name something else.
`

const aSetting = `With Istio it needs no setting: startgate waits for
http://localhost:15020/healthz/ready unless you name something else.
`

const next = `
The same with real parts (iptables, Redis, PostgreSQL): examples/incident/README.md
To put it into an image: README.md, "Install"
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
	defer p.sidecar.release()
	fmt.Print(before)
	if !p.sidecar.isIstio {
		fmt.Printf(portsTaken, agentPort, envoyPort)
	}
	p.began = time.Now()
	if err := p.tell(ctx); err != nil {
		return err
	}
	fmt.Printf(after, p.gap().Milliseconds())
	if p.sidecar.isIstio {
		fmt.Print(noSetting)
	} else {
		fmt.Print(aSetting)
	}
	fmt.Print(next)
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
	app := []string{"./app", "--redis", p.sidecar.proxy.addr()}
	if err := p.start(ctx, nil, app); !errors.As(err, new(*exec.ExitError)) {
		return stopped(ctx, errors.Join(errors.New("the application did not fail without startgate"), err))
	}
	running.Go(func() {
		if err := p.sidecar.run(ctx); err != nil {
			end(err)
		}
	})
	if err := p.start(ctx, p.settings(), append([]string{"./startgate", "--"}, app...)); err != nil {
		return stopped(ctx, fmt.Errorf("the application failed behind startgate: %w", err))
	}
	return nil
}

// settings returns what startgate has to know: nothing, if the sidecar has Istio's ports.
func (p *pod) settings() []string {
	if p.sidecar.isIstio {
		return nil
	}
	return []string{fmt.Sprintf("STARTGATE_WAIT_FOR=http://localhost:%d/healthz/ready", p.sidecar.agent.number)}
}

// start runs a command as the kubelet runs a container.
func (p *pod) start(ctx context.Context, settings, argv []string) error {
	p.add("kubelet", "$ "+strings.Join(append(slices.Clone(settings), argv...), " "))
	cmd := command(ctx, argv[0], argv[1:]...)
	cmd.Dir = p.dir
	cmd.Env = slices.Concat(withoutSettings(os.Environ()), settings, []string{"KUBERNETES_SERVICE_HOST=10.96.0.1"})
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
