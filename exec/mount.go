package exec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// mayAppear reports whether file is missing in a place that is not on the file system of
// the root directory.
func mayAppear(file string) bool {
	err := checkFile(file)
	return (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) && !onRoot(file)
}

// onRoot reports whether file, which is missing, would be on the file system of the root
// directory. It asks the closest directory that exists, because overlayfs gives other
// files the device numbers of its layers.
func onRoot(file string) bool {
	var root, dir unix.Stat_t
	if unix.Stat("/", &root) != nil {
		return true
	}
	// The kernel follows 40 links; the rest is for folders that do not exist.
	for range 256 {
		if unix.Stat(file, &dir) == nil && dir.Mode&unix.S_IFMT == unix.S_IFDIR {
			return dir.Dev == root.Dev
		}
		switch to, err := os.Readlink(file); {
		case err != nil:
			file = filepath.Dir(file)
		case filepath.IsAbs(to):
			file = to
		default:
			file = filepath.Join(filepath.Dir(file), to)
		}
	}
	return true
}
