package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/startgate/startgate/exec"
)

// gate is one run of startgate.
type gate struct {
	args           []string // without the name of startgate
	environ        []string // byte for byte as received
	signals        *exec.Signals
	stdout, stderr io.Writer

	config  Config
	log     *slog.Logger // nil until the settings are read
	program string       // to start, as the user wrote it; empty: none
	pod     pod          // what there is to do in this pod
	waited  waited       // what the waiting took
	metrics *metrics     // nil: none
}

// run does what the command line says. It returns nil when that is done; a
// replaced process does not return.
func (g *gate) run() error {
	command, err := parseArgs(g.args)
	if err != nil {
		return err
	}
	switch command.verb {
	case "--help":
		return printHelp(g.stdout)
	case "--version":
		return printVersion(g.stdout)
	case "--install":
		return install(command.operand)
	}
	config, notes, err := load(g.environ)
	if err != nil {
		return withNotes(err, notes)
	}
	g.config, g.log = config, newLogger(g.stderr, config)
	if command.verb == "--check" {
		return g.check(notes)
	}
	g.warn(notes)
	if command.verb == "--wait" {
		g.config.Quit, g.config.Supervise = nil, false // there is no application to be over
		err = g.prepare()
		if err == nil {
			err = g.signals.Do(context.Background(), g.waitForAll)
		}
	} else {
		err = g.start(command.program)
	}
	g.metrics.write()
	return err
}

// withNotes puts warnings before an error that comes before there is a log.
func withNotes(err error, notes []string) error {
	for _, note := range slices.Backward(notes) {
		err = errors.Join(errors.New(note), err)
	}
	return err
}

func (g *gate) warn(notes []string) {
	for _, note := range notes {
		g.log.Warn(note)
	}
}

// start waits and hands over to the program with these arguments. However that
// ends, the sidecars are told to quit.
func (g *gate) start(argv []string) error {
	g.program = argv[0]
	path, err := exec.Find(g.program, exec.SearchPath(g.environ))
	if err != nil {
		err = fmt.Errorf("%w%s", err, meant(g.program))
	}
	if prepared := g.prepare(); err == nil {
		err = prepared
	}
	if err == nil {
		err = g.signals.Do(context.Background(), g.waitForAll)
	}
	if err == nil {
		err = g.handOver(exec.Program{Path: path, Args: argv, Env: g.environ})
	}
	g.quit(err)
	return err
}

// prepare looks around, tells the log, and begins to catch what the application
// will have forwarded.
func (g *gate) prepare() error {
	err := g.signals.Do(context.Background(), g.lookAround)
	if g.pod.skipped != "" {
		g.log.Info(g.pod.skipped)
	}
	g.warn(g.pod.notes)
	g.metrics = newMetrics(g.config.Metrics, g.pod.supervise, g.log)
	if g.pod.supervise {
		g.signals.CatchMore(exec.ForwardableBeforeStart()...)
	}
	return err
}

// handOver becomes the program, or supervises it until it is over.
func (g *gate) handOver(program exec.Program) error {
	g.log.Info("starting "+g.program, append(g.waited.attrs(), "mode", g.pod.mode(), "why", g.pod.why)...)
	g.metrics.started()
	g.metrics.write()
	if !g.pod.supervise {
		err := exec.Replace(program, g.signals)
		g.metrics.notStarted()
		return err
	}
	began := time.Now()
	code, err := exec.Supervise(program, g.signals, exec.Options{
		Forwarded: g.metrics.forwardedSignal,
		Degraded:  func(err error) { g.log.Warn(err.Error()) },
	})
	if err != nil {
		g.metrics.notStarted()
		return err
	}
	took := time.Since(began)
	g.metrics.over(code, took)
	g.log.Info(g.program+" is over", "code", code, "after", took.Round(time.Millisecond))
	if code != 0 {
		return appExit(code)
	}
	return nil
}

// appExit is the exit code of an application that ran, when it is not 0.
type appExit int

func (e appExit) Error() string { return fmt.Sprintf("the application ended with %d", int(e)) }
