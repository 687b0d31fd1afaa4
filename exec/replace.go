package exec

import (
	"debug/elf"
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Program is a program to run.
type Program struct {
	Path string   // the file to run, as Find returns it
	Args []string // its argv; Args[0] is the name as the user wrote it
	Env  []string // its environment, as Environ returns it
}

// shell runs a script without a #! line, as in execvp(3).
const shell = "/bin/sh"

// Replace replaces this process with the program, by execve(2). The program has the
// PID, parent, descriptors, limits, signal mask and everything else that execve keeps
// as this process received them; nothing else of this process remains. Replace
// returns only if it fails.
//
// First it ends the catching of signals, which may be nil. If a signal has arrived by
// then and was not reported yet, Replace does not start the program and returns a
// [*SignalError]. A signal that arrives later ends the process by its default effect,
// or reaches the program. In PID 1, to which the kernel applies no default effects, a
// signal in these last microseconds makes Go's runtime exit with code 2 if it is TERM,
// INT, HUP, QUIT or ABRT; others are dropped then. One that arrives during execve is
// dropped by the kernel, as for every PID 1 without a handler.
//
// A text file without a #! line is run by /bin/sh. If the program cannot be run,
// Replace returns an [*ExitError].
func Replace(program Program, signals *Signals) error {
	if os.Getpid() != 1 {
		// Before Stop, which takes long enough for a running handler to return.
		useDefaults(signals.caught())
	}
	if err := signals.stop(droppedByGo(signals.caught())...); err != nil {
		return err
	}
	return run(program, func(path string, argv []string) error { return syscall.Exec(path, argv, program.Env) })
}

// run starts the program with execve. If the kernel says that it is not a program,
// and it is text, run starts the shell with it.
func run(program Program, execve func(path string, argv []string) error) error {
	err := execve(program.Path, program.Args)
	if err == nil {
		return nil
	}
	if err != syscall.ENOEXEC {
		return exitError(program.Path, err)
	}
	if !isText(headOf(program.Path)) {
		return cannotRun("cannot run %s: %s", program.Path, notAProgram(program.Path))
	}
	argv := []string{shell, program.Path}
	if len(program.Args) > 1 {
		argv = append(argv, program.Args[1:]...)
	}
	err = execve(shell, argv)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return notFound("cannot run %s: it has no #! line, and there is no %s to run it", program.Path, shell)
	}
	return exitError(shell, err)
}

// notAProgram returns why the kernel does not accept file as a program.
func notAProgram(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return "not a program"
	}
	defer f.Close()
	if self, err := elf.Open("/proc/self/exe"); err == nil {
		defer self.Close()
		if f.Machine == self.Machine {
			return "the kernel does not run it, though it is built for " + runtime.GOARCH
		}
	}
	return "built for " + strings.TrimPrefix(f.Machine.String(), "EM_") +
		", which does not run on " + runtime.GOARCH + "; is it the image of another platform?"
}
