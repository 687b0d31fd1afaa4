package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/startgate/startgate/exec"
)

// install copies this binary to path, or into it when it is a directory, as an
// executable for everybody, and says so to log. It appears there whole or not at all.
// When ctx ends, the copy may take another moment to be complete or removed, but not for
// ever: a file system may not answer.
func install(ctx context.Context, path string, log eventLog) error {
	var size int64
	done := make(chan error, 1)
	go func() {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, "startgate")
		}
		var err error
		if size, err = copySelf(ctx, path); err != nil {
			err = fmt.Errorf("cannot install %s: %w", exec.DisplayName(path), err)
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			log.info(eventInstalled, fmt.Sprintf("installed %s (%s, %.1f MB)", exec.DisplayName(path), strings.Trim(version(), "()"), float64(size)/1e6))
		}
		return err
	case <-ctx.Done():
	}
	_ = within(func() error { return <-done })
	return context.Cause(ctx)
}

// copySelf copies this binary to path, and returns its size. An error that is not about
// path names what it is about.
func copySelf(ctx context.Context, path string) (int64, error) {
	in, err := openSelf()
	if err != nil {
		return 0, fmt.Errorf("cannot read startgate itself: %w", err)
	}
	defer in.Close()
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return 0, errors.New("it exists, and is not a regular file")
	}
	size, err := replaceFile(ctx, path, in)
	var (
		p *fs.PathError
		l *os.LinkError
	)
	switch {
	case errors.As(err, &p) && p.Path != in.Name():
		err = p.Err
	case errors.As(err, &l):
		err = l.Err
	}
	return size, err
}

// openSelf opens the binary that runs. In Linux that is not what is at its path now, if
// that was replaced.
func openSelf() (*os.File, error) {
	in, err := os.Open("/proc/self/exe")
	if err == nil {
		return in, nil
	}
	self, selfErr := os.Executable()
	if selfErr != nil {
		return nil, err
	}
	return os.Open(self)
}

// replaceFile makes an executable file of what in has. The end of ctx removes what there
// is of it at once.
func replaceFile(ctx context.Context, path string, in io.Reader) (size int64, err error) {
	out, err := os.CreateTemp(filepath.Dir(path), ".startgate-*")
	if err != nil {
		return 0, err
	}
	remove := func() { _ = os.Remove(out.Name()) }
	stop := context.AfterFunc(ctx, func() {
		remove() // first: the file system may be busy with out for long
		_ = out.Close()
	})
	defer stop()
	size, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(0o755), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		remove()
	}
	return size, err
}
