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

// Find returns the file that execvp(3) would run for name, as execve wants it.
//
// A name with a slash is used as it is. Any other is looked for in the
// directories of path (see [SearchPath]), in order; an empty directory means the
// current one. A directory, a file without permission, one whose interpreter cannot
// be run, or an entry of path that cannot be searched is passed over, and remembered
// for the error.
//
// The error is an [*ExitError]: CodeNotFound when there is no such file, or when
// the interpreter that it names, in its #! line or as an ELF program's dynamic
// linker, does not exist; CodeCannotRun when it is there and may not be run.
func Find(name, path string) (string, error) {
	if name == "" {
		return "", notFound("cannot run the program: its name is empty")
	}
	if strings.Contains(name, "/") {
		return name, examine(name)
	}
	var denied, missing error
	for dir := range strings.SplitSeq(path, ":") {
		file := name
		if dir != "" {
			file = dir + "/" + name
		}
		switch err := examine(file); {
		case err == nil:
			return file, nil
		case errors.Is(err, fs.ErrPermission):
			denied = cmp.Or(denied, err)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
			missing = cmp.Or(missing, err) // it is there, and what it needs is not
		}
	}
	return "", cmp.Or(denied, missing, notFound("cannot run %s: not found in PATH=%s", name, path))
}

// examine tells why execve would not run file, as an [*ExitError].
func examine(file string) error {
	if err := runnable(file); err != nil {
		return exitError(file, err)
	}
	return interpreted(file)
}

// runnable tells why the kernel would not execute file; nil when it would try.
func runnable(file string) error {
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

// refusal is why execve says EACCES, where that alone would not explain it.
type refusal string

func (r refusal) Error() string      { return string(r) }
func (refusal) Is(target error) bool { return target == fs.ErrPermission }

const (
	errDirectory refusal = "is a directory"
	errSpecial   refusal = "is not a regular file"
)

// exitError gives the failure to run file its code and its text.
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

// withoutPath returns the cause of a failure whose text names the path already.
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
