package exec

import (
	"cmp"
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
)

// Signals holds the signals that arrived since [Catch], in their order.
//
// Each signal that arrives makes exactly one call fail: the [Signals.Do] that it
// interrupts, or else the next Do, [Replace], [Supervise] or [Signals.Stop]. While the
// program runs, Supervise forwards the signals to it instead.
//
// Only one of these calls may run at a time.
type Signals struct {
	arrived chan os.Signal
	all     []syscall.Signal // every signal that is caught
	ending  []syscall.Signal // those that make a call fail
	queued  []syscall.Signal // read from arrived, and neither reported nor forwarded yet

	catching sync.WaitGroup // until all are caught
}

// Catch starts to catch the given signals, so that none of them ends the process
// or, in PID 1, is dropped by the kernel. It skips those that are ignored, such as
// HUP and INT under nohup or in a shell's background job, because a signal that is
// caught is no longer ignored in the program that execve(2) starts.
// Call it as early as possible, from an init function of package main.
func Catch(signals ...syscall.Signal) *Signals {
	// Go drops what does not fit; a burst of real-time signals may be long.
	s := CatchTo(make(chan os.Signal, 1024))
	s.CatchMore(signals...)
	s.catching.Wait()
	return s
}

// CatchTo is for a program that has caught signals before it can call [Catch], because
// the initialisation of this package and others takes too long for it. It has passed
// them to arrived by [os/signal.Notify], and gives them to [Signals.CatchMore] now, which
// loses none. From now on only Signals reads the channel.
func CatchTo(arrived chan os.Signal) *Signals { return &Signals{arrived: arrived} }

// CatchMore starts to catch more signals, as [Catch] does, and does not wait for that: Go
// takes ten microseconds for each. The next call waits.
func (s *Signals) CatchMore(signals ...syscall.Signal) {
	s.ending = append(s.ending, signals...)
	s.catch(signals...)
}

// EndBy makes these signals the only ones that make a call fail from now on. Others
// are still caught, and have no effect.
func (s *Signals) EndBy(signals ...syscall.Signal) { s.ending = signals }

// catch starts to catch the signals that are neither ignored nor caught already.
//
// For each signal, package signal waits for a goroutine that is locked to a thread. From
// one that is locked itself, as the main one is, this takes several times as long.
func (s *Signals) catch(signals ...syscall.Signal) {
	var added []os.Signal
	for _, sig := range signals {
		if !slices.Contains(s.all, sig) && !ignored(sig) {
			added = append(added, sig)
			s.all = append(s.all, sig)
		}
	}
	if len(added) > 0 { // without a list, Notify would catch every signal
		s.catching.Go(func() { signal.Notify(s.arrived, added...) })
	}
}

// Do runs f and returns its error. A signal cancels f's context, with a [*SignalError]
// as its [context.Cause]. A signal that arrived before Do, and was not reported yet,
// has cancelled the context when f starts. The end of parent cancels it, too.
//
// A signal that arrives after f last checked its context still counts: when f
// returns nil, Do returns the signal as a [*SignalError]. When f returns an error,
// Do returns that error, whether or not it wraps the signal that cancelled the
// context. Later signals, such as the second of two, are queued for the next call.
//
// Do runs f on another goroutine, because blocking is expensive on one that is
// locked to its thread.
func (s *Signals) Do(parent context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	end := s.interrupt(ctx, cancel)
	done := make(chan error, 1)
	go func() {
		s.catching.Wait()
		done <- f(ctx)
	}()
	for {
		select {
		case sig := <-s.arrived:
			s.queued = append(s.queued, sig.(syscall.Signal))
			if end == nil {
				end = s.interrupt(ctx, cancel)
			}
		case err := <-done:
			if err == nil && end == nil {
				end = s.pendingEnd()
			}
			return cmp.Or(err, end)
		}
	}
}

// interrupt cancels ctx because of an ending signal, and returns that. It returns nil
// when there is none. If ctx was cancelled before, the signal goes back to the queue:
// whoever uses ctx cannot learn of it.
func (s *Signals) interrupt(ctx context.Context, cancel context.CancelCauseFunc) error {
	sig, ok := s.takeEnding()
	if !ok {
		return nil
	}
	end := error(&SignalError{sig})
	if cancel(end); context.Cause(ctx) != end {
		s.queued = slices.Insert(s.queued, 0, sig)
		return nil
	}
	return end
}

// pendingEnd takes the first ending signal that has arrived and was not reported
// yet. It returns nil when there is none.
func (s *Signals) pendingEnd() error {
	if sig, ok := s.takeEnding(); ok {
		return &SignalError{sig}
	}
	return nil
}

func (s *Signals) takeEnding() (sig syscall.Signal, ok bool) {
	s.collect()
	i := slices.IndexFunc(s.queued, func(sig syscall.Signal) bool { return slices.Contains(s.ending, sig) })
	if i < 0 {
		return 0, false
	}
	sig = s.queued[i]
	s.queued = slices.Delete(s.queued, i, i+1)
	return sig, true
}

// collect queues what has arrived by now.
func (s *Signals) collect() {
	for {
		select {
		case sig := <-s.arrived:
			s.queued = append(s.queued, sig.(syscall.Signal))
		default:
			return
		}
	}
}

// caught returns the signals that s catches. A nil s catches none.
func (s *Signals) caught() []syscall.Signal {
	if s == nil {
		return nil
	}
	s.catching.Wait()
	return s.all
}

// Stop ends the catching: from now on the signals have the effect that Go gives
// them by default. If a signal has arrived and was not reported yet, Stop returns the
// first one as a [*SignalError]; otherwise nil. s may be nil.
func (s *Signals) Stop() error { return s.stop() }

// stop is Stop. The signals of keep stay caught, and have no effect: to give one up
// takes Go ten microseconds.
func (s *Signals) stop(keep ...os.Signal) error {
	if s == nil {
		return nil
	}
	s.catching.Wait()
	s.catching.Go(func() { // as in catch
		if len(keep) > 0 {
			signal.Notify(make(chan os.Signal, 1), keep...)
		}
		signal.Stop(s.arrived)
	})
	s.catching.Wait() // after which what had arrived is in the channel
	return s.pendingEnd()
}
