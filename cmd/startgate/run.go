package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/startgate/startgate/exec"
	"github.com/startgate/startgate/wait"
)

// gate is one run of startgate.
type gate struct {
	args           []string // without the name of startgate
	environ        []string // for the application, byte for byte as received
	signals        *exec.Signals
	stdout, stderr io.Writer

	checks   bool // it is run by a user, beside the container's own startgate
	settings settings
	plan     plan
	log      eventLog
	metrics  *metrics // nil: none
	program  string   // to start, as the user wrote it; empty: none

	seen     presence        // of a sidecar that is said not to be there
	began    time.Time       // when the wait for the first target began
	answered map[string]bool // the targets that have answered, by name
	waited   waitStats
}

// run does what the command line says and returns the exit code. However that ends, the
// sidecars are shut down. A process that is replaced by the program does not return.
func (g *gate) run() int {
	code, err := g.obey()
	if err != nil {
		code = g.reportExit(err)
	}
	g.quit(code, err)
	g.metrics.write()
	return code
}

// obey returns the application's exit code, or the error that ends startgate itself.
func (g *gate) obey() (code int, err error) {
	g.log = newLog(g.stderr, readLogSettings())
	command, err := parseArgs(g.args)
	if err != nil {
		if command.verb == "" && os.Getpid() == 1 { // otherwise it may be a user's, by kubectl exec
			var wrong error
			g.settings, wrong = readSettings()
			g.planShutdown(wrong)
		}
		return 0, err
	}
	switch command.verb {
	case "--help":
		return 0, printHelp(g.stdout)
	case "--version":
		return 0, printVersion(g.stdout)
	case "--release":
		return g.releaseOthers(), nil
	case "--install":
		return 0, g.signals.Do(context.Background(), func(ctx context.Context) error { return install(ctx, command.operand, g.log) })
	}
	g.checks = command.verb == "--check"
	notes := unknownSettings()
	g.settings, err = readSettings()
	g.log = newLog(g.stderr, g.settings) // also for mistakes in the others
	if err != nil {
		g.warn(notes)
		if command.verb == "" {
			g.planShutdown(err)
		}
		return 0, err
	}
	g.plan = makePlan(g.settings, command.verb != "--wait")
	g.plan.notes = slices.Concat(notes, g.plan.notes)
	switch command.verb {
	case "--check":
		if err = g.check(); err == nil && command.operand != "" {
			code, err = g.checkNow()
		}
	case "--wait":
		if err = g.prepare(); err == nil {
			err = g.wait()
		}
	default:
		code, err = g.start(command.program)
	}
	return code, err
}

// current returns the plan as far as what was seen of the pod leaves it.
func (g *gate) current() plan { return g.plan.without(g.isSkipped, g.isAbsent) }

// start waits and hands over to the program with these arguments.
func (g *gate) start(argv []string) (code int, err error) {
	g.program = exec.DisplayName(argv[0])
	err = g.find(argv[0])
	if prepared := g.prepare(); err == nil {
		err = prepared
	}
	if err == nil {
		err = g.wait()
	}
	if err == nil {
		code, err = g.handOver(exec.Program{Path: argv[0], Args: argv, Env: g.environ})
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = hintedError{error: err, hint: hintNotRun(argv[0], exit)}
	}
	return code, err
}

// find looks the program up, until a signal arrives or the time is up: a file system may
// not answer. A program that may be there after the wait is no error.
func (g *gate) find(name string) error {
	var missing *exec.ExitError
	err := g.signals.Do(context.Background(), func(ctx context.Context) error {
		ctx, cancel := g.timed(ctx)
		defer cancel()
		return until(ctx, func() error {
			_, err := exec.Find(name, exec.SearchPath(g.environ))
			if errors.As(err, &missing) && missing.MayPass {
				return nil // or Do would return it instead of a signal that comes now
			}
			return err
		})
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return hintedError{error: fmt.Errorf("cannot run %s: %w", g.program, errHeld), hint: hint{anchor: anchorHeld}}
	case err == nil && missing != nil:
		g.log.warn(eventWarning, missing.Error()+"; startgate looks again at the hand-over", hintNotRun(name, missing).attrs()...)
	}
	return err
}

// prepare looks at the pod, and logs what it means.
func (g *gate) prepare() error {
	err := g.signals.Do(context.Background(), g.look)
	if text := g.skipped(); text != "" {
		g.log.info(eventSkipped, text, "target", g.plan.subject)
	}
	g.warn(g.notes())
	mode, _ := g.current().mode()
	g.metrics = newMetrics(g.settings.Metrics, mode == modeSupervise, g.log)
	return err
}

func (g *gate) warn(notes []hint) {
	for _, note := range notes {
		g.log.warn(eventWarning, note.text, hint{anchor: note.anchor}.attrs()...)
	}
}

// skipped says what is left out, and why; nothing when all is done.
func (g *gate) skipped() string {
	target, ok := g.plan.find(g.isAbsent)
	if !ok {
		return ""
	}
	what := "not shut down"
	if slices.ContainsFunc(g.plan.targets, g.isAbsent) {
		what = "not waited for"
	}
	why := envSidecarStatus + " is empty"
	if !isIstio(target) {
		why += ", and is to come from " + fieldOf(g.plan.subject)
	}
	return target.Name + " is " + what + ": the pod is not injected (" + why + ")"
}

// notes returns all warnings.
func (g *gate) notes() []hint {
	notes := slices.Clone(g.plan.notes)
	if sign := g.seen.String(); sign != "" {
		notes = append(notes, hint{"the pod seems to have " + g.plan.subject + " although " + envSidecarStatus + " is empty: " + sign, anchorNotInjected})
	}
	if note, ok := g.current().userNote(os.Getuid()); ok {
		notes = append(notes, note)
	}
	return notes
}

// wait waits for all targets. As PID 1 it reaps meanwhile: what kubectl exec leaves behind
// comes to PID 1, and a wait may be long.
func (g *gate) wait() error {
	if os.Getpid() == 1 {
		defer exec.Reap()()
	}
	return g.signals.Do(context.Background(), g.waitUntilReleased)
}

// handOver becomes the program, or supervises it and returns its exit code.
func (g *gate) handOver(program exec.Program) (code int, err error) {
	if err := g.lookBeforeHandOver(); err != nil {
		return 0, err
	}
	g.metrics.started()
	g.metrics.write()
	mode, why := g.current().mode()
	if mode == modeReplace && g.isHeld() {
		mode, why = modeSupervise, "a file system does not answer"
		g.log.warn(eventWarning, "a file system does not answer, and would hold up execve: supervising instead of replacing",
			hint{anchor: anchorHeld}.attrs()...)
	}
	g.log.info(eventStarting, "starting "+g.program, append(g.waited.attrs(), "mode", mode, "why", why)...)
	if mode == modeSupervise {
		code, err = g.supervise(program)
	} else {
		err = exec.Replace(program, g.signals)
	}
	if err != nil {
		g.metrics.notStarted()
	}
	return code, err
}

// lookBeforeHandOver looks once more for a sidecar that was seen at the start and not waited
// for: whether it is to be shut down decides the mode.
func (g *gate) lookBeforeHandOver() error {
	if g.seen == unknown || g.seen == absent || slices.ContainsFunc(g.plan.targets, g.isSubject) {
		return nil
	}
	return g.signals.Do(context.Background(), g.look)
}

// isHeld reports whether the kernel holds a thread of this process in a system call.
func (g *gate) isHeld() bool {
	return g.metrics.isHeld() || slices.ContainsFunc(g.plan.targets, wait.Target.Held)
}

func (g *gate) supervise(program exec.Program) (code int, err error) {
	began := time.Now()
	code, err = exec.Supervise(program, g.signals, exec.Options{
		Group:     g.settings.Supervise == superviseGroup,
		Forwarded: g.metrics.forwardedSignal,
		Degraded:  g.degraded,
	})
	if err != nil {
		return 0, err
	}
	took := time.Since(began)
	g.metrics.exited(code, took)
	g.log.info(eventExited, g.program+" exited", "code", code, "elapsed", took.Round(time.Millisecond))
	return code, nil
}

// degraded logs what supervising does without. An application that leaves no orphans, as
// most do not, loses nothing by a missing subreaper: no reason to warn at every start.
func (g *gate) degraded(err error) {
	log := g.log.warn
	if errors.Is(err, exec.ErrNoSubreaper) {
		log = g.log.debug
	}
	log(eventWarning, err.Error())
}
