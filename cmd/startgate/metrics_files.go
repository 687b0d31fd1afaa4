package main

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/startgate/startgate/exec"
)

// fileInterval is how often the files are written while startgate waits.
const fileInterval = 30 * time.Second

// metricsFiles writes the metrics into files, one write at a time.
type metricsFiles struct {
	log      eventLog
	registry *prometheus.Registry
	names    []string
	warned   map[string]string // the last warning about each file

	last     fileWrite
	periodic chan struct{} // closed when the last periodic write has ended; nil: there was none
	due      time.Time     // when the next one is
}

// fileWrite is a write of a file, which a file system that does not answer may hold up for
// ever.
type fileWrite struct {
	file string
	done chan struct{} // closed when it has returned; nil: there is no write
}

func (w fileWrite) isHeld() bool { return w.done != nil && !isClosed(w.done) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// write writes the files. If a periodic write is going on, it waits for that, which takes
// no longer than filePatience.
func (f *metricsFiles) write() {
	if f.periodic != nil {
		<-f.periodic
	}
	f.writeAll()
}

// writePeriodically writes the files if that is due. The caller does not wait for it.
func (f *metricsFiles) writePeriodically() {
	if len(f.names) == 0 || time.Now().Before(f.due) || f.periodic != nil && !isClosed(f.periodic) {
		return
	}
	f.due = time.Now().Add(fileInterval)
	done := make(chan struct{})
	f.periodic = done
	go func() {
		defer close(done)
		f.writeAll()
	}()
}

func (f *metricsFiles) writeAll() {
	for _, file := range f.names {
		if err := f.writeTo(file); err != nil {
			f.warnOnce(file, fmt.Sprintf("cannot write metrics to %s: %v", file, errnoOf(err)))
		}
	}
}

// warnOnce logs a warning, but not the same one again.
func (f *metricsFiles) warnOnce(file, text string) {
	if f.warned[file] != text {
		f.warned[file] = text
		f.log.warn(eventWarning, text)
	}
}

// writeTo writes a file. There is one write at a time, so that file systems that do not
// answer cost filePatience once, and an old write does not end after a new one.
func (f *metricsFiles) writeTo(file string) error {
	if f.isHeld() {
		return fmt.Errorf("no answer yet from the file system of %s", f.last.file)
	}
	write := fileWrite{file, make(chan struct{})}
	f.last = write
	return within(func() (err error) {
		defer close(write.done)
		exec.WithoutWriteSignals(func() { err = prometheus.WriteToTextfile(file, f.registry) })
		return err
	})
}

// isHeld reports whether a write has not returned. It may be asked after write.
func (f *metricsFiles) isHeld() bool { return f.last.isHeld() }
