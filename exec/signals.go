package exec

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Signals holds the signals that arrived since [Catch].
type Signals struct {
	arrived chan os.Signal
	kept    []syscall.Signal // taken from arrived, and nobody has been told
}

// Catch begins to catch the given signals, so that none of them ends the process
// or, in PID 1, is dropped by the kernel. HUP and INT are left alone when the
// process inherited them as ignored (nohup, a shell's background job), because
// catching would make them default in the program that replaces this one.
// Call it as early as possible, from an init function of package main.
func Catch(signals ...syscall.Signal) *Signals {
	s := &Signals{arrived: make(chan os.Signal, 64)}
	for _, sig := range signals {
		if !signal.Ignored(sig) {
			signal.Notify(s.arrived, sig)
		}
	}
	return s
}

// Context returns a context that ends with parent, with the returned function,
// or when a signal arrives or has arrived: its [context.Cause] is then a
// [*SignalError]. The returned function must be called; when it has returned, a
// signal that was too late to be the cause is kept for the next Context or
// [Signals.Stop]. One context at a time.
func (s *Signals) Context(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	if len(s.kept) > 0 {
		cancel(&SignalError{s.kept[0]})
		s.kept = s.kept[1:]
		return ctx, func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case sig := <-s.arrived:
			end := &SignalError{sig.(syscall.Signal)}
			if cancel(end); context.Cause(ctx) != end {
				s.kept = append(s.kept, end.Signal)
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// Stop ends the catching. It returns a signal that arrived and that no context
// has told about, as a [*SignalError]; nil when there is none. From then on the
// signals have the effect that Go gives them by default. A nil s has caught
// nothing.
func (s *Signals) Stop() error {
	if s == nil {
		return nil
	}
	signal.Stop(s.arrived) // what had arrived is in the channel when it returns
	if len(s.kept) > 0 {
		return &SignalError{s.kept[0]}
	}
	select {
	case sig := <-s.arrived:
		return &SignalError{sig.(syscall.Signal)}
	default:
		return nil
	}
}
