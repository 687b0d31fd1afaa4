package exec

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// headSize is how many bytes of a file the kernel examines (BINPRM_BUF_SIZE).
const headSize = 256

// checkInterpreter returns an [*ExitError] if the interpreter of file, or the
// interpreter's own, cannot be run. execve returns only ENOENT when one is missing,
// although file itself exists.
func checkInterpreter(file string) error {
	if code, err := interpreterProblem(file, maxInterpreters); err != nil {
		return &ExitError{code, fmt.Errorf("cannot run %s: %w", file, err)}
	}
	return nil
}

// maxInterpreters is how many interpreters the kernel goes through, each a script
// that names the next one (execve(2)).
const maxInterpreters = 5

// interpreterProblem returns why the interpreter of file cannot be run, and the exit
// code for that. It follows at most depth interpreters.
func interpreterProblem(file string, depth int) (int, error) {
	interpreter, kind := interpreterOf(file)
	if interpreter == "" || depth == 0 {
		return 0, nil
	}
	err := withoutPath(checkFile(interpreter))
	switch {
	case err == nil:
		code, err := interpreterProblem(interpreter, depth-1)
		if err != nil {
			err = fmt.Errorf("its %s %s: %w", kind, interpreter, err)
		}
		return code, err
	case strings.HasSuffix(interpreter, "\r"):
		return CodeNotFound, errors.New("its #! line ends in CR LF; save it with LF line ends")
	case errors.Is(err, fs.ErrNotExist):
		return CodeNotFound, fmt.Errorf("its %s %s does not exist", kind, interpreter)
	}
	return CodeCannotRun, fmt.Errorf("its %s %s: %w", kind, interpreter, err)
}

// interpreterOf returns the program that runs file, and the word for that. The path
// is empty if file needs no interpreter, or may be executed but not read.
func interpreterOf(file string) (path, kind string) {
	head := headOf(file)
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		line = bytes.TrimLeft(line, " \t")
		if end := bytes.IndexAny(line, " \t\x00"); end >= 0 {
			line = line[:end]
		}
		return string(line), "interpreter"
	}
	if bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return dynamicLinkerOf(file), "dynamic linker"
	}
	return "", ""
}

// dynamicLinkerOf returns the PT_INTERP of an ELF program, or "" if it has none.
func dynamicLinkerOf(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP && segment.Filesz < 4096 {
			path, err := io.ReadAll(segment.Open())
			if err != nil {
				return ""
			}
			return string(bytes.TrimRight(path, "\x00"))
		}
	}
	return ""
}

// headOf returns the first bytes of file, or nil if it may not be read.
func headOf(file string) []byte {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, headSize)
	n, _ := io.ReadFull(f, head)
	return head[:n]
}

// isText reports whether head may be the beginning of a shell script without a #!
// line: its first line has no NUL byte, the rule of POSIX and bash.
func isText(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return len(head) > 0 && !bytes.Contains(line, []byte{0})
}
