package exec

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// headSize is how much of a file the kernel looks at (BINPRM_BUF_SIZE).
const headSize = 256

// interpreted checks the program that file itself needs to be run by: execve
// says no more than ENOENT when that is missing, about a file that is there.
func interpreted(file string) error {
	interpreter, kind := interpreterOf(file)
	if interpreter == "" {
		return nil
	}
	err := runnable(interpreter)
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	switch {
	case err == nil:
		return nil
	case strings.HasSuffix(interpreter, "\r"):
		return notFound("cannot run %s: its #! line ends in CR LF; save it with LF line ends", file)
	case errors.Is(err, fs.ErrNotExist):
		return notFound("cannot run %s: its %s %s does not exist", file, kind, interpreter)
	}
	return cannotRun("cannot run %s: its %s %s: %w", file, kind, interpreter, err)
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
