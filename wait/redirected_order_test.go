package wait

// This file covers that all answers count in which Redirected looks for a redirect.

import "testing"

// One address refuses and the other is prohibited, which both is known at once, in any order.
func TestRedirectedCountsEveryAnswer(t *testing.T) {
	for refuses, prohibited := range map[string]string{"198.51.100.1": "203.0.113.1", "203.0.113.1": "198.51.100.1"} {
		t.Run(refuses, func(t *testing.T) {
			t.Parallel()
			if !inOwnNetwork(t, "ip address add "+refuses+" dev lo\nip route add prohibit "+prohibited) {
				return
			}
			for range 100 {
				if Redirected(t.Context()) {
					t.Fatal("redirected")
				}
			}
		})
	}
}
