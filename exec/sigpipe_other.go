//go:build unix && !linux

package exec

// WithoutWriteSignals calls write.
func WithoutWriteSignals(write func()) { write() }
