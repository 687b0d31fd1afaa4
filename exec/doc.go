// Package exec turns the calling process into another program, or into its parent.
//
// It is for programs that prepare something and then hand over, such as a
// container's entrypoint: [Find] looks the program up as a shell would,
// [Catch] keeps the signals that arrive meanwhile, and [Replace] is execve with
// the care that makes it unnoticeable: the program sees the process as if it
// had been started directly, and no signal is lost on the way.
//
// The order is always the same:
//
//	func init() { runtime.LockOSThread(); signals = exec.Catch(syscall.SIGTERM) }
//
//	path, err := exec.Find(name, exec.SearchPath(environ))
//	ctx, cancel := signals.Context(context.Background())
//	…                                       // prepare, under ctx
//	cancel()
//	err = exec.Replace(program, signals)    // returns only on failure
//
// A program that has something to do when the other one is over calls [Supervise]
// instead, and is a correct init until then.
//
// Lock the main goroutine to its thread in an init function, as above, and call
// [Replace] or [Supervise] from it: Linux ties the parent-death signal and the
// scheduler's reset-on-fork flag to the thread that calls execve, and loses them
// when that is not the first one (prctl(2), sched(7)).
package exec
