package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// pathHint says which part of a path is the reason that the file at its end gave err, where
// the kernel names only the whole path. It is empty if no part is, or if the parts are other
// ones by now.
func pathHint(path string, err error) string {
	var found string
	looked := make(chan string, 1)
	if within(func() error { looked <- faultyPart(path, err); return nil }) == nil {
		found = <-looked
	}
	return found
}

func faultyPart(path string, cause error) string {
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		part := path[:i]
		_, err := os.Stat(part)
		switch {
		case err == nil:
			continue
		case !errors.Is(cause, errnoOf(err)):
			return ""
		}
		return partHint(part, i == len(path), errnoOf(err))
	}
	return ""
}

// partHint says what is wrong with the first part of a path that gives an error.
func partHint(part string, isLast bool, errno error) string {
	link, notLink := os.Readlink(part)
	switch {
	case errno == syscall.ENOTDIR && notLink != nil:
		return filepath.Dir(part) + " is not a directory"
	case errno == syscall.ENAMETOOLONG:
		return "This path is too long for the kernel: it takes 255 bytes between two slashes, and 4095 in all"
	case errno == syscall.ELOOP:
		return part + " is a symbolic link that leads back to itself"
	case notLink == nil && errno == syscall.ENOENT:
		return fmt.Sprintf("%s is a symbolic link to %s, which does not exist", part, link)
	case notLink == nil:
		return fmt.Sprintf("%s is a symbolic link to %s: %v", part, link, errno)
	case errno == syscall.EACCES:
		return fmt.Sprintf("This user may not look into %s: see its owner and mode, and the pod's fsGroup", filepath.Dir(part))
	case errno == syscall.ENOENT && !isLast:
		return fmt.Sprintf("The directory %s does not exist: is the volume mounted here, and has the container that fills it done so?", part)
	}
	return ""
}
