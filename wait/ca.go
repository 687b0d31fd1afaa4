package wait

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// caFiles are files of PEM certificates to trust, whose file systems may not answer.
type caFiles struct {
	paths []string // none: those of the system
	beside[caResult]
}

type caResult struct {
	pool *x509.CertPool
	err  error
}

// parsePatience is how long parsing waits for a file, to report a mistake at once. What
// takes longer is left to the probes.
const parsePatience = time.Second

// check reports what is wrong with the files, as far as they can be read in a moment.
func (c *caFiles) check() error {
	if c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), parsePatience)
	defer cancel()
	if _, err := c.pool(ctx); !errors.Is(err, errHeld) {
		return err
	}
	return nil
}

// pool returns the certificates, nil for a nil c, or errHeld when ctx ends
// before they are read. They are read once.
func (c *caFiles) pool(ctx context.Context) (*x509.CertPool, error) {
	if c == nil {
		return nil, nil
	}
	result, err := c.once(ctx, func() caResult {
		pool, err := readCertificates(c.paths)
		return caResult{pool, err}
	})
	if err != nil {
		return nil, err
	}
	return result.pool, result.err
}

func readCertificates(paths []string) (*x509.CertPool, error) {
	if len(paths) == 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			err = fmt.Errorf("cannot read the system's certificates: %w", rootCause(err))
		}
		return pool, err
	}
	pool := x509.NewCertPool()
	for _, path := range paths {
		pem, err := readRegular(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read the certificates of #ca: %w", rootCause(err))
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("the file of #ca has no PEM certificate")
		}
	}
	return pool, nil
}

// maxCA is much more than the certificates of all public authorities together.
const maxCA = 10 << 20

// readRegular reads a regular file. A pipe that nobody writes to is an error, not a wait.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxCA))
}
