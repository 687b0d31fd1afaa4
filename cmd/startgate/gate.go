package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/startgate/startgate/exec"
)

// gate is one run of startgate.
type gate struct {
	args           []string // without the name of startgate
	environ        []string // byte for byte as received
	signals        *exec.Signals
	stdout, stderr io.Writer

	config Config
	log    *slog.Logger // nil until the settings are read
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
		return err
	}
	g.config, g.log = config, newLogger(g.stderr, config)
	if command.verb == "--check" {
		return g.check(notes)
	}
	for _, note := range notes {
		g.log.Warn(note)
	}
	if command.verb == "--wait" {
		_, err := g.wait("")
		return err
	}
	return g.start(command.program)
}

// start waits and hands over to the program with these arguments.
func (g *gate) start(argv []string) error {
	path, err := exec.Find(argv[0], exec.SearchPath(g.environ))
	if err != nil {
		return err
	}
	waited, err := g.wait(argv[0])
	if err != nil {
		return err
	}
	g.log.Info("starting "+argv[0], append(waited.attrs(), "mode", "replace", "why", "nothing needs a parent")...)
	return exec.Replace(exec.Program{Path: path, Args: argv, Env: g.environ}, g.signals)
}

// wait waits for the targets, and returns what that took. The program's name is
// for the error; it may be empty.
//
// The waiting is done in a goroutine of its own: polling costs more on a
// goroutine that is locked to its thread, as the main one is.
func (g *gate) wait(program string) (*waited, error) {
	ctx, stop := g.signals.Context(context.Background())
	defer stop()
	result := &waited{began: time.Now()}
	done := make(chan error)
	go func() { done <- g.waitForAll(ctx, program, result) }()
	return result, <-done
}

// waitForAll waits for one target after the other.
func (g *gate) waitForAll(ctx context.Context, program string, result *waited) error {
	timed := ctx
	if timeout := time.Duration(g.config.Timeout); timeout > 0 {
		var cancel func()
		timed, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	targets, notes := g.targets(timed)
	for _, note := range notes {
		g.log.Warn(note)
	}
	for _, target := range targets {
		if err := g.waitForOne(timed, target, result); err != nil {
			err = g.gaveUp(ctx, err, target, program)
			if err != nil {
				return err
			}
			break
		}
	}
	return context.Cause(ctx)
}
