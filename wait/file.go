package wait

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"syscall"
)

// fileProbe is the prober for file://: ready when the file exists and is not empty, or
// may be.
type fileProbe struct {
	stat  *fileStat
	name  string // the URL as it may be shown
	empty bool   // an empty file is accepted
}

// ErrEmptyFile is the cause of the answer for a file that is there and empty.
var ErrEmptyFile = errors.New("it is empty")

func newFile(u *url.URL, _ *endpoint, o options) Prober {
	return fileProbe{&fileStat{path: u.Path}, locator(u), o.empty}
}

// Probe implements [Prober].
func (p fileProbe) Probe(ctx context.Context) Answer {
	answer := p.answer(p.stat.look(ctx))
	if answer.Outcome == Ready && ctx.Err() != nil {
		answer = answerFromError(ctx.Err())
	}
	answer.Detail = "look at " + p.name + ": " + answer.Detail
	return answer
}

func (p fileProbe) isHeld() bool { return p.stat.isHeld() }

func (p fileProbe) answer(info fs.FileInfo, err error) Answer {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Answer{NotReady, "it does not exist", err}
	case err != nil:
		return answerFromError(err)
	case info.IsDir():
		return Answer{NotReady, "it is a directory", syscall.EISDIR}
	case info.Size() == 0 && !p.empty:
		return Answer{NotReady, ErrEmptyFile.Error(), ErrEmptyFile}
	}
	return Answer{Ready, "it is there", nil}
}

// fileStat is os.Stat of a path whose file system may not answer.
type fileStat struct {
	path string
	beside[statResult]
}

type statResult struct {
	info fs.FileInfo
	err  error
}

// look returns what os.Stat returns, or errHeld when ctx ends before. Its errors say, as
// those of package net do, that nothing was reached: see [Answer.Reach].
func (s *fileStat) look(ctx context.Context) (fs.FileInfo, error) {
	result, err := s.do(ctx, func() statResult {
		info, err := os.Stat(s.path)
		return statResult{info, err}
	})
	if err == nil {
		err = result.err
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: s.path, Net: "unix"}, Err: err}
	}
	return result.info, nil
}
