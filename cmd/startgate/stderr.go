package main

import (
	"io"
	"os"
	"slices"
	"time"

	"github.com/startgate/startgate/exec"
	"golang.org/x/sys/unix"
)

// standardError returns standard error as a descriptor of its own. Go ends a program
// that writes to descriptor 2 when nobody reads it any more; a lost line of the log is
// no reason not to start the application.
func standardError() io.Writer {
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return quiet{os.Stderr}
	}
	return quiet{&lossy{file: os.NewFile(uintptr(fd), "/dev/stderr"), fd: fd}}
}

// quiet writes without raising a signal that would be forwarded to the application.
type quiet struct{ io.Writer }

func (q quiet) Write(text []byte) (n int, err error) {
	exec.WithoutWriteSignals(func() { n, err = q.Writer.Write(text) })
	return n, err
}

// lossy drops what would block, because the pipe is full and nobody reads it. The
// descriptor stays a blocking one, because it is the application's too.
type lossy struct {
	file *os.File
	fd   int
	full bool // the last line was dropped, and the next one does not wait
}

// readerPatience is how long a line waits for a log consumer that does not keep up.
const readerPatience = time.Second

func (l *lossy) Write(text []byte) (int, error) {
	const atomic = 4096 // PIPE_BUF: a pipe that is writable at all takes as much (pipe(7))
	for chunk := range slices.Chunk(text, atomic) {
		if l.full = !l.writable(); l.full {
			return 0, unix.EAGAIN
		}
		if _, err := l.file.Write(chunk); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// writable reports whether a write will not block. When that cannot be asked, it is true.
func (l *lossy) writable() bool {
	deadline := time.Now()
	if !l.full {
		deadline = deadline.Add(readerPatience)
	}
	for {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLOUT}}, int(left.Milliseconds()))
		if err != unix.EINTR {
			return err != nil || n > 0
		}
	}
}
