package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// checkMetrics prints what would become of each target of STARTGATE_METRICS now. It leaves
// no file, touches none that is there, and frees an address again.
func checkMetrics(w io.Writer, where metricsTargets) {
	if len(where) == 0 {
		return
	}
	fmt.Fprint(w, "\nMETRICS AT\tSTATE\n")
	for _, target := range where {
		state := metricsAddressState
		if strings.HasPrefix(target, "/") {
			state = metricsFileState
		}
		fmt.Fprintf(w, "%s\t%s\n", target, state(target))
	}
}

func metricsAddressState(addr string) string {
	listener, err := net.Listen("tcp", withoutName(addr))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "in use, as it is while startgate or another program serves there"
	case err != nil:
		return fmt.Sprintf("cannot be served: %v", errnoOf(err))
	}
	_ = listener.Close()
	return "free"
}

func metricsFileState(file string) string {
	err := within(func() error {
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			return syscall.EISDIR
		}
		// A new file takes the place of an old one, so that its directory decides.
		f, err := os.CreateTemp(filepath.Dir(file), ".startgate-check-*")
		if err != nil {
			return err
		}
		return errors.Join(os.Remove(f.Name()), f.Close())
	})
	if err != nil {
		return fmt.Sprintf("cannot be written: %v", errnoOf(err))
	}
	return "can be written"
}
