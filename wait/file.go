package wait

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
)

// newFile returns the prober for file://: ready when the file exists and is not empty.
func newFile(u *url.URL, _ *endpoint, _ options) Prober {
	return ProbeFunc(func(context.Context) Answer {
		answer := statFile(u.Path)
		answer.Detail = "look at " + locator(u) + ": " + answer.Detail
		return answer
	})
}

func statFile(path string) Answer {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Answer{NotReady, "it does not exist", err}
	case err != nil:
		return Answer{Failed, rootCause(err).Error(), err}
	case info.IsDir():
		return Answer{NotReady, "it is a directory", nil}
	case info.Size() == 0:
		return Answer{NotReady, "it is empty", nil}
	}
	return Answer{Ready, "it is there", nil}
}
