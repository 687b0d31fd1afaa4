package tests

// What kubectl startgate says of real pods.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// buildPlugin builds the plugin for all tests, in the cluster's folder.
var buildPlugin = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(filepath.Dir(cluster.Kubeconfig), "kubectl-startgate")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, ".")
	build.Dir = "../../../cmd/kubectl-startgate"
	build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the plugin: %w\n%s", err, out)
	}
	return path, nil
})

// plugin runs the plugin in the namespace, and returns what it prints and its exit code.
func (n *namespace) plugin(args ...string) (out, errOut string, code int) {
	n.Helper()
	path, err := buildPlugin()
	if err != nil {
		n.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"--namespace", n.name}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		n.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// diagnosis is what the tests read of the plugin's JSON about one pod.
type diagnosis struct {
	Verdict verdict
	Also    []verdict
	NotRead []struct{ Verb, Resource, Name, Why string }
}

type verdict struct {
	Name, Severity, Summary string
	Sure                    bool
	Cures                   []struct{ ID string }
}

// names returns the names of all verdicts, those that are not sure with a question mark.
func (d diagnosis) names() string {
	var names []string
	for _, v := range append([]verdict{d.Verdict}, d.Also...) {
		if !v.Sure {
			v.Name += "?"
		}
		names = append(names, v.Name)
	}
	return strings.Join(names, " ")
}

// exitCodes are those that the plugin's README promises.
var exitCodes = map[string]int{"healthy": 0, "problem": 1, "undecided": 3}

// diagnose asks the plugin about one pod, checks its exit code, and returns the diagnosis and all that it printed.
func (n *namespace) diagnose(args ...string) (found diagnosis, out string) {
	n.Helper()
	out, errOut, code := n.plugin(append([]string{"diagnose", "-o", "json"}, args...)...)
	var report struct{ Pods []diagnosis }
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Pods) != 1 {
		n.Fatalf("diagnose %v: code %d, %d pods, %v\n%s%s", args, code, len(report.Pods), err, out, errOut)
	}
	found = report.Pods[0]
	if code != exitCodes[found.Verdict.Severity] {
		n.Errorf("diagnose %v: code %d for %+v", args, code, found.Verdict)
	}
	return found, out
}

// A patient is a pod with something for the plugin to find.
type patient struct {
	pod   func(i incident, name string) // makes it, or a Job of it
	until func(i incident, name string) // lets it become what is looked at, and waits for that
	want  string                        // all verdicts, those that are not sure with a question mark; a regular expression
	says  string                        // in the summary of the first
	is    string                        // what is diagnosed; the pod if empty
}

// diagnoseAll makes each pod when it is its turn, lest it gets old, and looks at it when its time has come.
func diagnoseAll(t *testing.T, patients map[string]patient) {
	need(t)
	if _, err := buildPlugin(); err != nil { // before there are pods that take the CPU
		t.Fatal(err)
	}
	i := newIncident(t)
	for name, p := range patients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := incident{i.in(t), i.redis, i.postgres}
			p.pod(of, name)
			p.until(of, name)
			if p.is == "" {
				p.is = name
			}
			found, out := of.diagnose(p.is)
			if got := found.names(); !regexp.MustCompile("^(?:"+p.want+")$").MatchString(got) || !strings.Contains(found.Verdict.Summary, p.says) {
				t.Errorf("want %s (%s), got %s\n%s", p.want, p.says, got, out)
			}
			for _, cure := range found.Verdict.Cures {
				if cure.ID == "startgate" && strings.HasSuffix(name, "-gated") {
					t.Errorf("startgate is there, and is to be put in:\n%s", out)
				}
			}
			if testing.Verbose() {
				text, _, _ := of.plugin("diagnose", p.is)
				t.Log("\n" + text)
			}
		})
	}
}
