package incident

// The picture of a run: the sidecar and the application, without and with startgate. It has
// its own background and no font of its own, so that it can be read everywhere.

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Where things are, in pixels.
const (
	width, height = 880, 348
	left, right   = 112, width - 24 // of the time axis
	laneHeight    = 26
)

// story is what the picture shows of one scenario, in times since the application's
// container was started first.
type story struct {
	sidecarStarted, sidecarReady time.Duration
	failures                     []failure
	waitsFrom                    time.Duration // startgate; negative without it
	running                      time.Duration
}

// failure is a start of the application that fails, and the pause after it.
type failure struct {
	start, end, next time.Duration
	backOff          string
}

func tell(l *timeline) story {
	l.Helper()
	began := l.first(kubelet, "Started: container app$").at
	since := func(line line) time.Duration { return line.at.Sub(began) }
	s := story{
		sidecarStarted: since(l.first(kubelet, "Started: container istio-proxy")),
		sidecarReady:   since(l.ready()),
		running:        since(l.last(app, "the application starts")),
		waitsFrom:      -1,
	}
	if waits := l.all(app, `msg="waiting for istio"`); len(waits) > 0 {
		s.waitsFrom = since(waits[0])
	}
	starts, ends, pauses := l.all(app, "the application starts"), l.all(app, "the application ends"), l.all(kubelet, "BackOff")
	for i, end := range ends {
		if i+1 >= len(starts) || i >= len(pauses) {
			l.Fatalf("%d failures, %d starts and %d pauses", len(ends), len(starts), len(pauses))
		}
		pause := regexp.MustCompile(`here are (\d+)`).FindStringSubmatch(pauses[i].text)
		s.failures = append(s.failures, failure{since(starts[i]), since(end), since(starts[i+1]), pause[1] + " s"})
	}
	return s
}

// late returns how long after the sidecar the application runs.
func (s story) late() string {
	late := s.running - s.sidecarReady
	if late < time.Second {
		return fmt.Sprintf("%d ms", late.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", late.Seconds())
}

// drawing is a picture that is being drawn.
type drawing struct {
	strings.Builder
	end time.Duration // where the time axis ends
}

// draw returns the picture of the recorded run, as SVG.
func draw(t testing.TB, run map[string]*timeline) string {
	t.Helper()
	without, with := tell(run["without-startgate"]), tell(run["with-startgate"])
	last := max(without.running, with.running, without.sidecarReady, with.sidecarReady)
	d := &drawing{end: (last + 1400*time.Millisecond).Truncate(time.Second / 2)}
	fmt.Fprintf(d, head, width, height, without.late(), with.late(), width-1, height-1)
	d.axis(296)
	d.panel(34, "Without startgate", fmt.Sprintf("%d failed starts; it runs %s after the sidecar is ready", len(without.failures), without.late()), "bad", without)
	d.panel(180, "With startgate", fmt.Sprintf("no failed start; it runs %s after the sidecar is ready", with.late()), "good", with)
	d.text(24, height-16, "note", "A recorded run, ten times faster than the incident: there the kubelet’s back-off is 10, 20 and 40 seconds.")
	d.WriteString("</svg>\n")
	return d.String()
}

// panel draws one scenario from y on.
func (d *drawing) panel(y int, title, result, class string, s story) {
	d.text(24, y, "title", title)
	d.text(right, y, "result "+class, result)
	sidecar, application := y+18, y+62
	d.text(24, sidecar+18, "who", "sidecar")
	d.text(24, application+18, "who", "application")
	d.bar(sidecar, 0, s.sidecarStarted, "idle", "not started")
	d.bar(sidecar, s.sidecarStarted, s.sidecarReady, "busy", "starting, not ready: 503")
	d.bar(sidecar, s.sidecarReady, d.end, "ready", "ready")
	for _, f := range s.failures {
		d.bar(application, f.start, f.end, "failed", "")
		d.text(d.x(f.start), application+laneHeight+14, "code", "ECONNREFUSED")
		d.bar(application, f.end, f.next, "idle", "back-off "+f.backOff)
	}
	if s.waitsFrom >= 0 {
		d.bar(application, s.waitsFrom, s.running, "waits", "startgate waits for the sidecar")
	}
	d.bar(application, s.running, d.end, "ready", "running")
	x := d.x(s.sidecarReady)
	fmt.Fprintf(d, `<path class="mark" d="M%d %dV%d"/>`+"\n", x, sidecar-4, application+laneHeight+4)
}

// bar draws what lasts from one time to another, with a label in its middle.
func (d *drawing) bar(y int, from, to time.Duration, class, label string) {
	x, end := d.x(from), d.x(to)
	fmt.Fprintf(d, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="3"/>`+"\n", class, x, y, max(end-x-1, 3), laneHeight)
	if label != "" {
		d.text((x+end)/2, y+18, "in "+class+"-text", label)
	}
}

func (d *drawing) text(x, y int, class, text string) {
	fmt.Fprintf(d, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, text)
}

// axis draws the seconds, behind everything else.
func (d *drawing) axis(y int) {
	for at := time.Duration(0); at <= d.end; at += time.Second {
		fmt.Fprintf(d, `<path class="grid" d="M%d 48V%d"/>`+"\n", d.x(at), y)
		d.text(d.x(at), y+16, "second", fmt.Sprintf("%d s", int(at.Seconds())))
	}
}

// x returns where a time is.
func (d *drawing) x(at time.Duration) int {
	return left + int((right-left)*at/d.end)
}

const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif">
<title>Without startgate the application fails until %s after the sidecar is ready. With it, it starts %s after.</title>
<style>
.card { fill: #ffffff; stroke: #d0d7de }
.grid { stroke: #d8dee4; stroke-dasharray: 1 3 }
.mark { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3 }
text { fill: #1f2328; font-size: 13px }
.title { font-size: 16px; font-weight: 600 }
.result { font-weight: 600; text-anchor: end }
.bad, .code { fill: #cf222e }
.good { fill: #1a7f37 }
.code { font: 10.5px ui-monospace, Menlo, Consolas, monospace }
.in { font-size: 12px; text-anchor: middle }
.second, .note { fill: #59636e; font-size: 12px }
.second { text-anchor: middle }
.idle { fill: #eaeef2 }
.busy { fill: #f2cc60 }
.ready { fill: #2da44e }
.failed { fill: #cf222e }
.waits { fill: #54aeff }
.ready-text { fill: #ffffff; font-weight: 600 }
.busy-text, .waits-text { fill: #1f2328 }
.idle-text { fill: #59636e }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117; stroke: #3d444d }
.grid { stroke: #3d444d }
.mark { stroke: #f0f6fc }
text { fill: #f0f6fc }
.bad, .code { fill: #ff7b72 }
.good { fill: #56d364 }
.second, .note, .idle-text { fill: #9198a1 }
.idle { fill: #212830 }
.ready { fill: #238636 }
.failed { fill: #f85149 }
.ready-text { fill: #ffffff }
.busy-text, .waits-text { fill: #0d1117 }
}
</style>
<rect class="card" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>
`
