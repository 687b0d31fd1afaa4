// Package report prints diagnoses.
package report

import (
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/plain"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

// SchemaVersion is that of the JSON and YAML output. Fields may be added to a version; none is taken away or
// given another meaning.
const SchemaVersion = "startgate.dev/diagnosis/v1"

// Report is what the JSON and YAML output has.
type Report struct {
	SchemaVersion string `json:"schemaVersion"`
	Pods          []Pod  `json:"pods"`
}

// Pod is the diagnosis of one pod.
type Pod struct {
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	Owner     string         `json:"owner,omitempty"` // deployment/web
	Taken     *time.Time     `json:"taken,omitempty"`
	Sidecars  []Sidecar      `json:"sidecars"`
	Verdict   Verdict        `json:"verdict"`
	Also      []Verdict      `json:"also,omitempty"`
	NotRead   []evidence.Gap `json:"notRead,omitempty"`
	Again     string         `json:"-"` // the command that looks at it again
}

// Sidecar is a sidecar of the pod.
type Sidecar struct {
	Container string     `json:"container"`
	Kind      string     `json:"kind"`   // as startgate calls it
	Native    bool       `json:"native"` // an init container with restartPolicy Always
	ReadyAt   *time.Time `json:"readyAt,omitempty"`
}

// Verdict is what is the matter.
type Verdict struct {
	Name     verdict.Name `json:"name"`
	Severity string       `json:"severity"` // healthy, problem, undecided
	Summary  string       `json:"summary"`
	Sure     bool         `json:"sure"`
	Doubts   []string     `json:"doubts,omitempty"`
	Evidence []Entry      `json:"evidence"`
	Cures    []Cure       `json:"cures,omitempty"` // cheapest first
}

// Entry is an entry of the timeline.
type Entry struct {
	Time       *time.Time    `json:"time,omitempty"`
	Resolution float64       `json:"resolutionSeconds"` // it happened at the time, or up to this much later
	Source     string        `json:"source"`            // kubelet, event, log
	Kind       timeline.Kind `json:"kind"`
	Container  string        `json:"container,omitempty"`
	Previous   bool          `json:"previous,omitempty"` // of the container's run before
	Text       string        `json:"text"`
	Target     string        `json:"target,omitempty"`
	Count      int           `json:"count,omitempty"`
}

// Cure is a change.
type Cure struct {
	ID      string         `json:"id,omitempty"`
	Title   string         `json:"title"`
	Text    string         `json:"text"`
	Patch   map[string]any `json:"patch,omitempty"` // a strategic merge patch of the owner
	Command string         `json:"command,omitempty"`
}

// New makes the report of one pod. Its texts are plain: names, logs and events may hold anything.
func New(c *verdict.Case, verdicts []verdict.Verdict, again string) Pod {
	p := Pod{Namespace: plain.Text(c.Namespace), Name: plain.Text(c.Name), Taken: at(c.Taken), Sidecars: []Sidecar{}, Again: plain.Text(again)}
	if c.Owner.Name != "" {
		p.Owner = plain.Text(c.Owner.Resource())
	}
	for _, gap := range c.Gaps {
		p.NotRead = append(p.NotRead, evidence.Gap{Verb: gap.Verb, Resource: plain.Text(gap.Resource), Name: plain.Text(gap.Name), Why: plain.Text(gap.Why)})
	}
	for _, s := range c.Sidecars {
		p.Sidecars = append(p.Sidecars, Sidecar{plain.Text(s.Name), s.Kind.Name, s.Native, at(s.Current().Ready.At)})
	}
	p.Verdict = newVerdict(verdicts[0])
	for _, also := range verdicts[1:] {
		p.Also = append(p.Also, newVerdict(also))
	}
	return p
}

var severities = map[verdict.Severity]string{verdict.Good: "healthy", verdict.Undecided: "undecided", verdict.Problem: "problem"}

func newVerdict(v verdict.Verdict) Verdict {
	out := Verdict{
		Name: v.Name, Severity: severities[v.Severity], Summary: plain.Text(v.Summary),
		Sure: len(v.Doubts) == 0, Evidence: []Entry{},
	}
	for _, doubt := range v.Doubts {
		out.Doubts = append(out.Doubts, plain.Text(doubt))
	}
	for _, e := range v.Evidence {
		out.Evidence = append(out.Evidence, Entry{at(e.At), e.Resolution.Seconds(), e.Source, e.Kind, plain.Text(e.Container), e.Previous, plain.Text(e.Text), plain.Text(e.Target), e.Count})
	}
	for _, c := range v.Cures {
		out.Cures = append(out.Cures, newCure(c))
	}
	return out
}

func newCure(c cure.Cure) Cure {
	out := Cure{ID: c.ID, Title: plain.Text(c.Title), Text: plain.Text(c.Text)}
	if c.Patch != nil {
		out.Patch, out.Command = c.Patch.Body, plain.Text(c.Command())
	}
	return out
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
