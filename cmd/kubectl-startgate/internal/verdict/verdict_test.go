package verdict

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		2 * time.Millisecond:     "2ms",
		183 * time.Millisecond:   "180ms",
		4284 * time.Millisecond:  "4.28s",
		23471 * time.Millisecond: "23s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}
