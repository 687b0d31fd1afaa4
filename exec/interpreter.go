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

// headSize is how much of a file the kernel looks at (BINPRM_BUF_SIZE).
const headSize = 256

// interpreted checks the programs that file itself needs to be run by: execve says
// no more than ENOENT when one is missing, about a file that is there.
func interpreted(file string) error {
	if code, err := interpretation(file, maxInterpreters); err != nil {
		return &ExitError{code, fmt.Errorf("cannot run %s: %w", file, err)}
	}
	return nil
}

// maxInterpreters is how many interpreters, each a script for the next, the kernel
// goes through (execve(2)).
const maxInterpreters = 5

// interpretation returns why nothing can run file, and the exit code for that.
func interpretation(file string, depth int) (int, error) {
	interpreter, kind := interpreterOf(file)
	if interpreter == "" || depth == 0 {
		return 0, nil
	}
	err := withoutPath(runnable(interpreter))
	switch {
	case err == nil:
		code, err := interpretation(interpreter, depth-1)
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

// interpreterOf returns what runs file, and what that is to it; nothing for a
// program that needs none, or that may be executed and not read.
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

// dynamicLinkerOf returns the PT_INTERP of an ELF program, or nothing.
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

// headOf returns the first bytes of file; nil when it may not be read.
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

// isText tells whether head may begin a shell script without a #! line: it has
// no NUL byte in its first line, the rule of POSIX and bash.
func isText(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return len(head) > 0 && !bytes.Contains(line, []byte{0})
}
