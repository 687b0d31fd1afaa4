package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// install copies this binary to path, or into it when it is a directory, as an
// executable for everybody. It appears there whole or not at all. When ctx ends, the copy
// may take another moment to be complete or removed, but not for ever: a file system may
// not answer.
func install(ctx context.Context, path string) error {
	done := make(chan error, 1)
	go func() { done <- copyTo(path) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	_ = within(func() error { return <-done })
	return context.Cause(ctx)
}

func copyTo(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "startgate")
	}
	if err := copySelf(path); err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return fmt.Errorf("cannot install %s: %w", path, err)
	}
	return nil
}

func copySelf(path string) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(self)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(path), ".startgate-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(out.Name())
		}
	}()
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(0o755), out.Sync(), out.Close())
	if err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}
