// Package exec replaces the calling process with another program, or runs that
// program as its child and forwards signals to it. It is for Unix.
//
// It is for a program that prepares something and then hands over, such as a
// container's entrypoint. [Find] says early whether there is such a program. [Catch]
// keeps the signals that arrive meanwhile. [Replace] is execve(2) with care: the
// program finds the process as if it had been started directly, and no signal is
// lost on the way.
//
// The order is always the same:
//
//	func init() { runtime.LockOSThread(); signals = exec.Catch(exec.Ending()...) }
//
//	_, err := exec.Find(name, exec.SearchPath(environ)) // to fail early; Replace looks again
//	err = signals.Do(context.Background(), prepare) // a signal interrupts it
//	err = exec.Replace(program, signals)            // returns only on failure
//
// A program that has work to do after the other one exits calls [Supervise] instead
// of Replace, and is a correct init until then. [Reap] is for the time before and after.
//
// Lock the main goroutine to its thread in an init function, as above, and call
// Replace or Supervise from it: Linux ties the parent-death signal and the
// scheduler's reset-on-fork flag to the thread that calls execve, and loses them
// when that is not the first one (prctl(2), sched(7)).
package exec
