package clock

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// Clock gives the lines of one log their times. Its zero value is ready to use.
type Clock struct {
	Began   time.Time     // of the program, if known: it writes its first line soon after
	offset  time.Duration // of the log's zone, for times that do not name one
	learned bool
	lost    bool // nothing tells the zone
	last    Time // of the last line with a time
	passed  evidence.Line
}

// Time is when something happened: at At, or up to Resolution later.
type Time struct {
	At         time.Time
	Resolution time.Duration
}

// Known reports whether there is a time at all.
func (t Time) Known() bool { return !t.At.IsZero() }

// late is how much later the runtime may get a line than a program without a buffer writes it.
const late = 5 * time.Second

// runtime is the resolution of the times of a container runtime.
const runtime = time.Nanosecond

// Pass takes note of a line whose time matters only if one without a time follows. Most lines are
// such, and looking for their times takes long.
func (c *Clock) Pass(line evidence.Line) {
	if !IsContinuation(line.Text) && (!line.At.IsZero() || strings.Count(line.Text, ":") > 1 || epoch.MatchString(line.Text)) {
		c.passed = line
	}
}

// Last returns the time of the last line.
func (c *Clock) Last() Time {
	if passed := c.passed; passed.Text != "" {
		c.passed = evidence.Line{}
		c.Of(passed, 0)
	}
	return c.last
}

// Of returns the time of the line, or of what it tells of in the place of the line from place on.
func (c *Clock) Of(line evidence.Line, place int) Time {
	c.Last()
	if IsContinuation(line.Text) && c.last.Known() && (line.At.IsZero() || line.At.Sub(c.last.At) < late) {
		return c.last
	}
	t := c.inline(line, place)
	if !t.Known() {
		t = Time{line.At, runtime}
	}
	if !t.Known() {
		return c.last // without any time, a line is as old as the one before it
	}
	c.last = t
	return t
}

// inline returns the time in the line.
func (c *Clock) inline(line evidence.Line, place int) Time {
	found := find(line.Text, line.At)
	if len(found) == 0 {
		return Time{}
	}
	for i := range found {
		if !found[i].zoned {
			if c.learn(found[i].at, line.At); c.lost {
				return Time{}
			}
			found[i].at = found[i].at.Add(-c.offset)
		}
	}
	own, ok := ownOf(found, line)
	if !ok {
		return Time{}
	}
	for _, s := range found {
		if s.begin < place && s.at.Before(own.at) && !strings.Contains(line.Text[s.begin:place], `"`) {
			own = s // the line quotes something older, and not in another field
		}
	}
	if !line.At.IsZero() && own.at.Sub(line.At) > late {
		return Time{} // nothing is logged before it happens: the program's clock is wrong
	}
	return Time{own.at, c.finer(own, line.At)}
}

// ownOf returns the time of the line itself: the first, or in JSON, whose fields have no order, that of a field which
// is called so. Of several, it is the one nearest to the runtime's. A field with another name has it only if the
// runtime says so too.
func ownOf(found []stamp, line evidence.Line) (own stamp, ok bool) {
	if !strings.HasPrefix(line.Text, "{") {
		return found[0], true
	}
	distance := func(s stamp) time.Duration {
		if line.At.IsZero() {
			return 0
		}
		return s.at.Sub(line.At).Abs()
	}
	isNamed := func(s stamp) bool { return timeField.MatchString(line.Text[:s.begin]) }
	if named := slices.DeleteFunc(slices.Clone(found), func(s stamp) bool { return !isNamed(s) }); len(named) > 0 {
		found = named
	}
	own = slices.MinFunc(found, func(a, b stamp) int { return cmp.Compare(distance(a), distance(b)) })
	return own, isNamed(own) || distance(own) < late
}

// finer returns how exactly a time in a line is known: it happened before the runtime got the line.
func (c *Clock) finer(own stamp, got time.Time) time.Duration {
	if late := got.Sub(own.at); !got.IsZero() && late > 0 && late < own.resolution {
		return late
	}
	return own.resolution
}

// slow is how long a program may take to its first line.
const slow = 2 * time.Minute

// learn finds out the zone of a log by the first line that the runtime got at once. If the runtime's times were not
// saved, it is the first line of all, which follows the program's start.
func (c *Clock) learn(inline, got time.Time) {
	switch {
	case c.learned || c.lost:
	case !got.IsZero():
		zone, rest := zoneOf(inline.Sub(got))
		if rest.Abs() < late && zone.Abs() <= 14*time.Hour {
			c.offset, c.learned = zone, true
		}
	default:
		zone, rest := zoneOf(inline.Sub(c.Began))
		c.learned = !c.Began.IsZero() && rest > -time.Second && rest < slow && zone.Abs() <= 14*time.Hour
		c.offset, c.lost = zone, !c.learned
	}
}

// zoneOf splits the difference of two clocks into that of their zones and the rest.
func zoneOf(diff time.Duration) (zone, rest time.Duration) {
	zone = diff.Round(15 * time.Minute)
	return zone, diff - zone
}

// IsContinuation reports whether a line belongs to the one before it, as in a stack trace.
func IsContinuation(text string) bool {
	if text == "" {
		return false
	}
	return text[0] == ' ' || text[0] == '\t' || strings.HasPrefix(text, "Caused by:") || strings.HasPrefix(text, "--->")
}
