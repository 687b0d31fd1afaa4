package tests

// The README's table of how a Job's pod ends: each cell by a real Job.

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// An ending is one cell of the table: a Job, what is done to it, and what has become of it.
type ending struct {
	script  string
	options []func(*corev1.Pod)
	retries int32 // the Job's backoffLimit
	do      func(n *namespace, job, pod string)

	codes  string // of all tries of the application: see matchCodes
	job    batchv1.JobConditionType
	reason string
	phase  corev1.PodPhase // empty: the pod is gone
	asked  asked
}

// asked is whether the sidecar was asked to shut down.
type asked int

const (
	notAsked asked = iota
	wasAsked
	maybeAsked // the pod is gone, and the sidecar's log with it, or TERM comes at the same time
)

// succeeded and failed are what most Jobs come to.
func succeeded(codes string, e ending) ending {
	e.codes, e.job, e.reason, e.phase, e.asked = codes, batchv1.JobComplete, "CompletionsReached", corev1.PodSucceeded, wasAsked
	return e
}

func failed(codes string, e ending) ending {
	e.codes, e.job, e.reason, e.phase, e.asked = codes, batchv1.JobFailed, "BackoffLimitExceeded", corev1.PodFailed, wasAsked
	return e
}

// ended is a Job whose pod was deleted.
func ended(codes string, asked asked, e ending) ending {
	e.codes, e.job, e.reason, e.asked = codes, batchv1.JobFailed, "DeadlineExceeded", asked
	return e
}

func TestJobEndings(t *testing.T) {
	for _, row := range endings {
		for policy, cell := range map[corev1.RestartPolicy]ending{
			corev1.RestartPolicyNever: row.never, corev1.RestartPolicyOnFailure: row.onFailure,
		} {
			t.Run(row.name()+"/"+string(policy), func(t *testing.T) {
				t.Parallel()
				n := newNamespace(t)
				options := []func(*corev1.Pod){restart(policy), settings("STARTGATE_QUIT=istio"), withState}
				if policy == corev1.RestartPolicyOnFailure {
					options = append(options, settings("STARTGATE_QUIT_ON=success"))
				}
				pod := aPod("job", cell.script, append(options, cell.options...)...)
				job := n.createJob(pod, func(job *batchv1.Job) { job.Spec.BackoffLimit = &cell.retries })
				name := n.podOfJob(job)
				if cell.do != nil {
					cell.do(n, job, name)
				}
				n.checkEnding(job, name, cell)
			})
		}
	}
}

func (n *namespace) checkEnding(job, pod string, want ending) {
	n.Helper()
	if want.job != "" {
		if end, reason := n.waitForJob(job); end != want.job || reason != want.reason {
			n.Errorf("the Job is %s: %s, want %s: %s", end, reason, want.job, want.reason)
		}
	}
	if want.phase == "" {
		n.waitUntilGone(pod)
	} else {
		n.waitForPhase(pod, want.phase)
		if got := strings.Contains(n.log(pod, "istio-proxy"), "was asked to shut down"); want.asked != maybeAsked && got != (want.asked == wasAsked) {
			n.Errorf("the sidecar was asked to shut down: %t", got)
		}
	}
	if got := strings.Trim(fmt.Sprint(n.codes(pod, "app")), "[]"); !matchCodes(got, want.codes) {
		n.Errorf("the application's codes are %s, want %s: %+v", got, want.codes, n.endsOf(pod, "app"))
	}
}

// matchCodes says whether these are the codes wanted. In "124... 0" the code 124 may be
// repeated; "127 ..." goes on with any others, as of tries that the Job's end cuts short.
func matchCodes(got, want string) bool {
	if begin, more := strings.CutSuffix(want, " ..."); more {
		return got == begin || strings.HasPrefix(got, begin+" ")
	}
	if want = strings.ReplaceAll(want, "...", ""); strings.Contains(want, " ") {
		got = strings.Join(slices.Compact(strings.Fields(got)), " ")
	}
	return got == want
}

// TestJobEndingsOfREADME checks that the rows here are those of the README.
func TestJobEndingsOfREADME(t *testing.T) {
	readme, err := os.ReadFile("../../jobs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "<!-- ends -->")
	table, _, _ = strings.Cut(table, "<!-- /ends -->")
	var want, got []string
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			want = append(want, strings.TrimPrefix(cells[0], "| "))
		}
	}
	for _, row := range endings {
		if len(got) == 0 || got[len(got)-1] != row.way {
			got = append(got, row.way)
		}
	}
	if want = want[2:]; !slices.Equal(got, want) {
		t.Errorf("the README's rows are\n%s\nand these are tested:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}
