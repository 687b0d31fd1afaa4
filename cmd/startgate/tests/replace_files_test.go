//go:build linux

package tests

// The files that the tests of finding the program need.

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// makeFile makes a file in dir, which a kind and a path describe, and for "#!" and
// "link" what follows.
func makeFile(dir, description string) error {
	kind, path, _ := strings.Cut(description, " ")
	path, more, _ := strings.Cut(path, " ")
	path = filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	write := func(text string, mode os.FileMode) error {
		return errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode))
	}
	const script = "echo ran \"$0\" \"$@\"\n"
	switch kind {
	case "dir":
		return os.Mkdir(path, 0o755)
	case "closed": // a directory that may not be searched
		return os.Chmod(path, 0o000)
	case "fifo":
		return unix.Mkfifo(path, 0o755)
	case "socket":
		return unix.Mknod(path, unix.S_IFSOCK|0o755, 0)
	case "link":
		return os.Symlink(more, path)
	case "sh":
		return write("#!/bin/sh\n"+script, 0o755)
	case "text": // a script that nobody may execute
		return write("#!/bin/sh\n"+script, 0o644)
	case "bare": // a script without #!
		return write(script, 0o755)
	case "empty":
		return write("", 0o755)
	case "#!":
		return write("#!"+more+"\n"+script, 0o755)
	case "binary": // no program that anybody knows
		return write("\x01\x02\x00\x03\n", 0o755)
	case "machine": // a program of another machine
		return write(changedEcho(func(text []byte, _ string) { text[18], text[19] = byte(elf.EM_SPARCV9), 0 }), 0o755)
	case "linker": // a program whose dynamic linker does not exist
		return write(changedEcho(func(text []byte, linker string) {
			copy(text[bytes.Index(text, []byte(linker)):], strings.Repeat("/", len(linker)-4)+"gone")
		}), 0o755)
	case "capable": // a program that needs NET_ADMIN, see capabilities(7)
		data := [20]byte{0: 1, 3: 2, 4 + unix.CAP_NET_ADMIN/8: 1 << (unix.CAP_NET_ADMIN % 8)}
		return errors.Join(write(changedEcho(func([]byte, string) {}), 0o755), unix.Setxattr(path, "security.capability", data[:], 0))
	case "unreadable": // a program that only its owner may read
		return write(changedEcho(func([]byte, string) {}), 0o711)
	}
	return errors.New("no such kind of file: " + kind)
}

// changedEcho returns /bin/echo, changed, given its text and its dynamic linker.
func changedEcho(change func(text []byte, linker string)) string {
	text, err := os.ReadFile("/bin/echo")
	if err != nil {
		return err.Error()
	}
	file, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return err.Error()
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			linker, _ := io.ReadAll(segment.Open())
			change(text, string(bytes.TrimRight(linker, "\x00")))
		}
	}
	return string(text)
}
