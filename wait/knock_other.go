//go:build !linux

package wait

import "net/netip"

// connectNow returns no answer: on this system connect(2) may return before there is one.
func connectNow(netip.AddrPort) (answer Answer, ok bool) { return Answer{}, false }
