package exec

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Program is a program to run.
type Program struct {
	Path string   // the file to run, or a name without a slash: see Find
	Args []string // its argv; Args[0] is the name as the user wrote it
	Env  []string // its environment, as Environ returns it; its PATH is searched
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

// run starts the program with execve.
func run(program Program, execve func(path string, argv []string) error) error {
	return search(program.Path, SearchPath(program.Env), func(file string) error {
		err := execve(file, program.Args)
		if err == nil {
			return nil
		}
		if err == syscall.ENOEXEC {
			return runScript(file, program.Args, execve)
		}
		for _, problem := range []error{interpreterProblem(file), capabilityProblem(file)} {
			if errors.Is(problem, err) {
				return problem
			}
		}
		return err
	})
}

// runScript starts the shell with file, of which the kernel says that it is not a
// program, if it is text.
func runScript(file string, argv []string, execve func(path string, argv []string) error) error {
	if !isText(headOf(file)) {
		return errors.New(notAProgram(file))
	}
	args := []string{shell, file}
	if len(argv) > 1 {
		args = append(args, argv[1:]...)
	}
	if err := execve(shell, args); err != nil {
		return fmt.Errorf("it has no #! line, and %s, which would run it: %w", shell, err)
	}
	return nil
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
