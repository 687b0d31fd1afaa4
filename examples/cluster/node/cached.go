package node

import (
	"context"
	"os"
	"path/filepath"
)

// Cached returns the file or folder of this name in this machine's cache. If it is not
// there, build makes it. Of two processes that want it at once, one builds it and the
// other waits.
func Cached(ctx context.Context, name string, build func(path string) error) (path string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "startgate-cluster")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(cache, name)
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := build(path + ".new"); err != nil {
		return "", err
	}
	return path, os.Rename(path+".new", path)
}
