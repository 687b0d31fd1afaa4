package timeline

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/clock"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/plain"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
)

// An application that fails a million times tells nothing more than one that fails this often.
// The first entries of a kind are kept, and the last.
const (
	keepFirst = 200
	keepLast  = 50
)

// reader reads one log.
type reader struct {
	*builder
	log   evidence.Log
	kind  *sidecar.Kind
	clock clock.Clock
	kept  map[Kind][]Entry
	last  Kind // of the entry that was kept last
	stats LogStats
	open  bool   // the line before tells of a failure, which may go on
	head  string // the last line that does not belong to one before it
	// isGone says that the kubelet has removed the container with its log.
	isGone bool
}

// LogStats is what is known of a whole log. One without lines is there, and empty.
type LogStats struct {
	Container   string
	Previous    bool
	Lines       int
	First, Last Entry
	Untimed     bool // neither the runtime nor the program wrote times
}

func (b *builder) addLog(log evidence.Log, kind *sidecar.Kind) {
	r := reader{builder: b, log: log, kind: kind, kept: map[Kind][]Entry{}, clock: clock.Clock{Began: b.startOf(log)}}
	for line := range log.Lines {
		r.read(line)
	}
	for _, entries := range r.kept {
		for _, entry := range entries {
			b.entry(entry)
		}
	}
	if r.isGone {
		return
	}
	r.stats.Last = r.stamp(Entry{Kind: LastLine}, r.clock.Last())
	r.stats.Container, r.stats.Previous = log.Container, log.Previous
	r.stats.Untimed = r.stats.Lines > 0 && !r.stats.Last.Known()
	b.timeline.Logs = append(b.timeline.Logs, r.stats)
}

// startOf returns when the run of a log began, by the kubelet.
func (b *builder) startOf(log evidence.Log) time.Time {
	for _, entry := range b.timeline.Entries {
		if entry.Kind == Started && entry.Source == "kubelet" && entry.Container == log.Container && entry.Previous == log.Previous {
			return entry.At
		}
	}
	return time.Time{}
}

// gone begins what a kubelet answers in the place of the log of a container that it has removed.
const gone = "unable to retrieve container logs for "

func (r *reader) read(line evidence.Line) {
	line.Text = plain.WithoutEscapes(line.Text)
	r.isGone = r.isGone || strings.HasPrefix(line.Text, gone)
	if line.Text == "" || r.isGone {
		return
	}
	r.stats.Lines++
	if r.isSameFailure(line.Text) {
		return
	}
	if !clock.IsContinuation(line.Text) {
		r.head = line.Text
	}
	entry, place := r.classify(line.Text)
	isFirst := entry.Kind != Gate && !r.stats.First.Known() // startgate's lines are not the application's first
	r.open = isFailure(entry.Kind)
	if entry.Kind == "" && !isFirst {
		r.clock.Pass(line)
		return
	}
	entry = r.stamp(entry, r.clock.Of(line, place))
	if entry.Kind != "" {
		r.keep(entry)
	}
	if isFirst {
		r.stats.First = entry
		r.stats.First.Kind, r.stats.First.Text = FirstLine, shorten(line.Text)
	}
}

// isSameFailure reports whether a line goes on with the failure in the line before, as a stack trace does. Such a
// line may name the address that the first does not.
func (r *reader) isSameFailure(text string) bool {
	if !r.open || !clock.IsContinuation(text) {
		return false
	}
	kept := r.kept[r.last]
	if last := &kept[len(kept)-1]; last.Target == "" {
		last.Target = findTarget(text)
	}
	return true
}

func isFailure(kind Kind) bool {
	return slices.Contains([]Kind{Refused, Reset, TimedOut, Unresolved}, kind)
}

func (r *reader) stamp(entry Entry, when clock.Time) Entry {
	entry.At, entry.Resolution = when.At, when.Resolution
	entry.Source, entry.Container, entry.Previous = "log", r.log.Container, r.log.Previous
	return entry
}

// classify says what a line is about, and where in the line that stands.
func (r *reader) classify(text string) (Entry, int) {
	if fields, ok := parseGate(text); ok {
		return Entry{Kind: Gate, Text: fields["msg"], Fields: fields}, 0
	}
	if r.kind != nil {
		return r.classifySidecar(text)
	}
	kind, place, ok := findFailure(text)
	if !ok {
		return Entry{}, len(text)
	}
	return Entry{Kind: kind, Text: excerpt(text, place), Target: cmp.Or(findTarget(text), findTarget(r.head))}, place
}

func (r *reader) classifySidecar(text string) (Entry, int) {
	for _, set := range []struct {
		kind    Kind
		phrases []string
	}{{SidecarReady, r.kind.Ready}, {SidecarNot, r.kind.NotReady}, {SidecarEnding, r.kind.Ending}} {
		for _, phrase := range set.phrases {
			if i := strings.Index(text, phrase); i >= 0 {
				return Entry{Kind: set.kind, Text: shorten(text[i:])}, i
			}
		}
	}
	return Entry{}, len(text)
}

func (r *reader) keep(entry Entry) {
	kept := r.kept[entry.Kind]
	if len(kept) >= keepFirst+keepLast {
		kept = append(kept[:keepFirst], kept[keepFirst+1:]...)
	}
	r.kept[entry.Kind], r.last = append(kept, entry), entry.Kind
}

// excerpt keeps the part of a long line around a place, where the error is.
func excerpt(text string, place int) string {
	const before, after = 100, 60
	text = strings.TrimRight(text, " \t\r")
	begin, end := 0, len(text)
	if end <= before+after {
		return strings.TrimSpace(text)
	}
	dots := ""
	if place > before {
		begin, dots = place-before, "…"
	}
	tail := ""
	if place+after < end {
		end, tail = place+after, "…"
	}
	return dots + strings.ToValidUTF8(strings.TrimSpace(text[begin:end]), "") + tail
}

// shorten keeps a line readable.
func shorten(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 300 {
		return strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}
