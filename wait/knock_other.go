//go:build !linux

package wait

import "net/netip"

// knockSocket does not exist: on this system connect(2) may return before there is an answer.
type knockSocket struct{}

func newKnockSocket(netip.AddrPort) *knockSocket { return nil }

func (s *knockSocket) connect() (answer Answer, ok bool) { return Answer{}, false }
func (s *knockSocket) close()                            {}
