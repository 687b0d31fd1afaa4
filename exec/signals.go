package exec

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// Signals holds the signals that arrived since [Catch], in their order.
type Signals struct {
	arrived chan os.Signal
	all     []syscall.Signal // what is caught
	ending  []syscall.Signal // of these, what ends a context
	kept    []syscall.Signal // taken from arrived, and nobody has been told
	told    error            // the cause of a context's end
}

// Catch begins to catch the given signals, so that none of them ends the process
// or, in PID 1, is dropped by the kernel. Those that are ignored, such as HUP and
// INT under nohup or in a shell's background job, are left alone, because
// catching would make them default in the program that is started.
// Call it as early as possible, from an init function of package main.
func Catch(signals ...syscall.Signal) *Signals {
	// Go drops what does not fit; a burst of real-time signals may be long.
	s := &Signals{arrived: make(chan os.Signal, 1024), ending: signals}
	s.CatchMore(signals...)
	return s
}

// CatchMore begins to catch more signals; those that are caught already stay so. They do
// not end a [Signals.Context]; they are kept for [Supervise].
func (s *Signals) CatchMore(signals ...syscall.Signal) {
	var caught []os.Signal
	for _, sig := range signals {
		if !slices.Contains(s.all, sig) && !ignored(sig) {
			caught = append(caught, sig)
			s.all = append(s.all, sig)
		}
	}
	if len(caught) == 0 {
		return // Notify takes that for all signals
	}
	elsewhere(func() { signal.Notify(s.arrived, caught...) })
}

// elsewhere calls f in another goroutine. For each signal package signal asks one that
// has a thread of its own; from a goroutine that has one too, as the main one does,
// that takes several times as long.
func elsewhere(f func()) {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	<-done
}

// Context returns a context that ends with parent, with the returned function,
// or when a signal that was given to [Catch] arrives or has arrived: its
// [context.Cause] is then a [*SignalError]. The returned function must be called;
// when it has returned, a signal that was too late to be the cause is kept for the
// next Context, for [Replace] or [Supervise]. One context at a time.
func (s *Signals) Context(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	if end := s.takeEnding(); end != nil {
		s.told = end
		cancel(end)
		return ctx, func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case sig := <-s.arrived:
				if s.ends(ctx, cancel, sig.(syscall.Signal)) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// ends makes sig the cause of the end of ctx, or keeps it.
func (s *Signals) ends(ctx context.Context, cancel context.CancelCauseFunc, sig syscall.Signal) bool {
	if slices.Contains(s.ending, sig) {
		end := &SignalError{sig}
		if cancel(end); context.Cause(ctx) == error(end) {
			s.told = end
			return true
		}
	}
	s.kept = append(s.kept, sig)
	return false
}

// takeEnding takes the first kept signal that ends a context.
func (s *Signals) takeEnding() error {
	i := slices.IndexFunc(s.kept, func(sig syscall.Signal) bool { return slices.Contains(s.ending, sig) })
	if i < 0 {
		return nil
	}
	end := &SignalError{s.kept[i]}
	s.kept = slices.Delete(s.kept, i, i+1)
	return end
}

// collect keeps what has arrived by now.
func (s *Signals) collect() {
	for {
		select {
		case sig := <-s.arrived:
			s.kept = append(s.kept, sig.(syscall.Signal))
		default:
			return
		}
	}
}

// caught returns what s catches. A nil s has caught nothing.
func (s *Signals) caught() []syscall.Signal {
	if s == nil {
		return nil
	}
	return s.all
}

// last returns the signal that ended a context, because that may have been asked
// for the last time before it, or else the first kept one that would end one.
func (s *Signals) last() error {
	if s.told != nil {
		return s.told
	}
	return s.takeEnding()
}

// Stop ends the catching. It returns a signal that was given to [Catch] and
// arrived, as a [*SignalError], also one that has ended a context; nil when there
// is none. From then on the signals have the effect that Go gives them by default.
// A nil s has caught nothing.
func (s *Signals) Stop() error {
	if s == nil {
		return nil
	}
	elsewhere(func() { signal.Stop(s.arrived) }) // what had arrived is in the channel when it returns
	s.collect()
	return s.last()
}
