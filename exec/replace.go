package exec

import (
	"debug/elf"
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Program is what to run.
type Program struct {
	Path string   // the file, from Find
	Args []string // argv; Args[0] is the name as the user wrote it
	Env  []string // the environment, from Environ
}

// shell runs a script that has no #! line, as execvp(3) does.
const shell = "/bin/sh"

// Replace makes this process become the program, by execve(2). PID, parent,
// descriptors, limits, signal mask and everything else that execve keeps are as
// this process got them; nothing of this process remains. It returns only when
// that failed.
//
// It ends the catching of signals first. One that had arrived before that is
// returned as a [*SignalError] and the program is not started; one that arrives
// later ends the process by its default effect, or reaches the program. In PID 1,
// to which the kernel applies no default effects, the remaining microseconds
// behave otherwise: Go's runtime ends the process with code 2, and what arrives
// inside execve is dropped, as for every PID 1 without a handler.
//
// A text file without a #! line is run by /bin/sh. Any other failure is an
// [*ExitError]. signals may be nil.
func Replace(program Program, signals *Signals) error {
	if os.Getpid() != 1 {
		// Before Stop, which takes long enough for a handler that had begun to end.
		useDefaults(signals.caught())
	}
	if err := signals.Stop(); err != nil {
		return err
	}
	return run(program, func(path string, argv []string) error { return syscall.Exec(path, argv, program.Env) })
}

// run starts the program by execve, and by the shell when it is a script that the
// kernel does not know as a program.
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

// notAProgram says why the kernel does not know file as a program.
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
