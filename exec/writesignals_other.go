//go:build !linux

package exec

// WithoutWriteSignals calls write. On Linux it also drops the PIPE or XFSZ that this
// raises.
func WithoutWriteSignals(write func()) { write() }
