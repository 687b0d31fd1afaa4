package exec

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Find returns the file that execvp(3) would run for name, for [Program].
//
// A name with a slash is used as it is. Any other name is looked up in the
// directories of path (see [SearchPath]), in order; an empty directory means the
// current one. Find skips a match that is a directory, has no execute permission, or
// needs an interpreter that cannot be run, and any directory that it may not search.
// If nothing else matches, the error is about one of these.
//
// The error is an [*ExitError]. Its code is CodeNotFound when there is no such file,
// or when the interpreter that the file names, in its #! line or as an ELF program's
// dynamic linker, does not exist. It is CodeCannotRun when the file exists and cannot
// be run.
func Find(name, path string) (string, error) {
	if name == "" {
		return "", notFound("cannot run the program: its name is empty")
	}
	if strings.Contains(name, "/") {
		return name, checkExecutable(name)
	}
	var denied, missing error
	for dir := range strings.SplitSeq(path, ":") {
		file := name
		if dir != "" {
			file = dir + "/" + name
		}
		switch err := checkExecutable(file); {
		case err == nil:
			return file, nil
		case errors.Is(err, fs.ErrPermission):
			denied = cmp.Or(denied, err)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
			missing = cmp.Or(missing, err) // the file exists, its interpreter does not
		}
	}
	return "", cmp.Or(denied, missing, notFound("cannot run %s: not found in PATH=%s", name, path))
}

// checkExecutable returns an [*ExitError] if execve would not run file.
func checkExecutable(file string) error {
	if err := checkFile(file); err != nil {
		return exitError(file, err)
	}
	return checkInterpreter(file)
}

// checkFile returns why the kernel would refuse to execute file itself, whatever its
// contents are; nil if it would not refuse.
func checkFile(file string) error {
	info, err := os.Stat(file)
	switch {
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

// refusal explains an EACCES of execve better than its own text does.
type refusal string

func (r refusal) Error() string      { return string(r) }
func (refusal) Is(target error) bool { return target == fs.ErrPermission }

const (
	errDirectory refusal = "is a directory"
	errSpecial   refusal = "is not a regular file"
)

// exitError returns the failure to run file as an [*ExitError].
func exitError(file string, err error) error {
	err = withoutPath(err)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound("cannot run %s: %w", file, err)
	}
	hint := ""
	if err == syscall.EACCES {
		hint = "; is its mode executable (chmod +x) for this user, and its volume not mounted noexec?"
	}
	return cannotRun("cannot run %s: %w%s", file, err, hint)
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
	return &ExitError{CodeNotFound, fmt.Errorf(format, args...)}
}

func cannotRun(format string, args ...any) error {
	return &ExitError{CodeCannotRun, fmt.Errorf(format, args...)}
}
