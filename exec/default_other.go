//go:build !linux

package exec

func defaultQuit() {}
