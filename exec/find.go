package exec

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Find returns the file that [Replace] and [Supervise] would run for name, as far as
// can be said without running it. They look again: a file system may be mounted, and a
// file written, in between.
//
// A name with a slash is used as it is. Any other name is looked up as by execvp(3) in
// the directories of path (see [SearchPath]), in order; an empty directory means the
// current one. The search passes over what does not exist, is a directory, has no
// execute permission, or needs an interpreter that does not exist, and any directory
// that it may not search. If nothing else matches, the error is about one of these.
//
// The error is an [*ExitError]. Its code is CodeNotFound when there is no such file,
// or when the interpreter that the file names, in its #! line or as an ELF program's
// dynamic linker, does not exist. It is CodeCannotRun when the file exists and cannot
// be run. MayPass is set if it is about an interpreter, of which only the kernel has the
// last word, or if a place in which name was missing is not on the file system of the
// root directory: what is mounted there may be filled later. Its text names the program as
// [DisplayName] does.
func Find(name, path string) (string, error) {
	var found string
	mayPass := false
	err := search(name, path, func(file string) error {
		found = file
		err := interpreterProblem(file)
		mayPass = mayPass || err != nil
		return err
	})
	var exit *ExitError
	if !errors.As(err, &exit) {
		return found, nil
	}
	exit.MayPass = mayPass || slices.ContainsFunc(slices.Collect(candidates(name, path)), mayAppear)
	return "", exit
}

// search calls try for the files that execvp(3) would execute, one after the other,
// until it returns nil or an error after which execvp gives up. The error is an
// [*ExitError].
func search(name, path string, try func(file string) error) error {
	if name == "" {
		return notFound("cannot run the program: its name is empty")
	}
	var denied, broken error
	for file := range candidates(name, path) {
		shown := strings.TrimSuffix(file, name) + DisplayName(name)
		err := checkFile(file)
		isThere := err == nil
		if isThere {
			err = try(file)
		}
		switch {
		case err == nil:
			return nil
		case strings.Contains(name, "/") || !passedOver(err):
			return exitError(shown, err)
		case errors.Is(err, syscall.EACCES):
			denied = cmp.Or(denied, exitError(shown, err))
		case isThere: // and its interpreter is not
			broken = cmp.Or(broken, exitError(shown, err))
		}
	}
	return cmp.Or(denied, broken, notFound("cannot run %s: not found in PATH=%s", DisplayName(name), path))
}

// pathMax is the length from which execvp(3) passes over a directory of PATH (PATH_MAX).
const pathMax = 4096

// candidates returns the files that name may mean.
func candidates(name, path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if strings.Contains(name, "/") {
			yield(name)
			return
		}
		for dir := range strings.SplitSeq(path, ":") {
			file := name
			if dir != "" {
				file = dir + "/" + name
			}
			if len(dir) < pathMax && !yield(file) {
				return
			}
		}
	}
}

// passedOver reports whether execvp(3) looks further after this error.
func passedOver(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.EACCES, syscall.ENOENT, syscall.ENOTDIR, syscall.ESTALE, syscall.ENODEV, syscall.ETIMEDOUT,
	}, func(errno error) bool { return errors.Is(err, errno) })
}

// checkFile returns why the kernel would refuse to execute file itself, whatever its
// contents are; nil if it would not refuse.
func checkFile(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, syscall.EACCES):
		return &fs.PathError{Op: "stat", Path: file, Err: errClosed}
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "exec", Path: file, Err: errDirectory}
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "exec", Path: file, Err: errSpecial}
	}
	if err := unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "access", Path: file, Err: err}
	}
	return nil
}

// explained is an error of execve with a text that says more than its own.
type explained struct {
	text  string
	errno error
}

func (e explained) Error() string { return e.text }
func (e explained) Unwrap() error { return e.errno }

var (
	errClosed    = explained{"permission denied for a directory of this path", syscall.EACCES}
	errDirectory = explained{"is a directory", syscall.EACCES}
	errSpecial   = explained{"is not a regular file", syscall.EACCES}
)

// exitError returns the failure to run a file, by the name that is shown, as an [*ExitError].
func exitError(shown string, err error) error {
	err = withoutPath(err)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound("cannot run %s: %w", shown, err)
	}
	hint := ""
	if err == syscall.EACCES {
		hint = "; is its mode executable (chmod +x) for this user, and its volume not mounted noexec?"
	}
	return cannotRun("cannot run %s: %w%s", shown, err, hint)
}

// withoutPath returns the cause in an [*fs.PathError], for a message that names the
// path itself.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func notFound(format string, args ...any) error {
	return &ExitError{Code: CodeNotFound, Err: fmt.Errorf(format, args...)}
}

func cannotRun(format string, args ...any) error {
	return &ExitError{Code: CodeCannotRun, Err: fmt.Errorf(format, args...)}
}
