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

// interpreterProblem returns why the interpreter of file, or the interpreter's own, seems
// to be one that cannot be run; nil if nothing seems to be wrong. execve returns only
// ENOENT when one is missing, although file itself exists. Only the kernel knows for
// sure, which may have others for the file (binfmt_misc).
func interpreterProblem(file string) error {
	chain := ""
	for range maxInterpreters {
		interpreter, kind := interpreterOf(file)
		if interpreter == "" {
			return nil
		}
		chain += fmt.Sprintf("its %s %s", kind, interpreter)
		err := withoutPath(checkFile(interpreter))
		switch {
		case err == nil:
		case strings.HasSuffix(interpreter, "\r"):
			return explained{"its #! line ends in CR LF; save it with LF line ends", err}
		case errors.Is(err, fs.ErrNotExist):
			return explained{chain + " does not exist", err}
		default:
			return fmt.Errorf("%s: %w", chain, err)
		}
		file, chain = interpreter, chain+": "
	}
	return nil
}

// maxInterpreters is how many interpreters the kernel goes through, each a script
// that names the next one (execve(2)).
const maxInterpreters = 5

// interpreterOf returns the program that runs file, and the word for that. The path
// is empty if file needs no interpreter, or may be executed but not read.
func interpreterOf(file string) (path, kind string) {
	head := headOf(file)
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, ends := bytes.Cut(line, []byte("\n"))
		line = bytes.TrimLeft(line, " \t")
		if end := bytes.IndexAny(line, " \t\x00"); end >= 0 {
			line, ends = line[:end], true
		}
		if !ends && len(head) == headSize {
			return "", "" // of a path that goes on the kernel says ENOEXEC
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

// headOf returns the first bytes of file; nil only if it may not be read.
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
// line: its first line has no NUL byte, the rule of POSIX and bash. An empty file is one.
func isText(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return head != nil && !bytes.Contains(line, []byte{0})
}
