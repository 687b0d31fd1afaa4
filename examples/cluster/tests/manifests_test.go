package tests

// The manifests of the examples and of the README, as they are, on a real API server.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// examples is where the manifests are.
const examples = "../.."

// isLong marks a test that .ci/run leaves out, and .ci/run cluster-all runs.
func isLong(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long")
	}
}

func (n *namespace) applyFile(file string) {
	n.Helper()
	n.kubectl("apply", "-f", filepath.Join(examples, file))
}

// podOf waits for a pod whose name begins with its workload's, and returns its name.
func (n *namespace) podOf(workload string) string {
	n.Helper()
	var found string
	n.eventually(workload+" has a pod", func() bool {
		for _, name := range n.podNames() {
			if _, gone := n.pod(name); !gone && strings.HasPrefix(name, workload+"-") {
				found = name
				return true
			}
		}
		return false
	})
	return found
}

// Deployments of the examples: the application starts, behind startgate, and is ready.
func TestDeploymentExamples(t *testing.T) {
	isLong(t)
	for file, name := range map[string]string{"deployment/deployment.yaml": "app", "install/deployment.yaml": "web"} {
		t.Run(filepath.Dir(file), func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.applyFile(file)
			pod := n.podOf(name)
			n.waitForLog(pod, name, logWaiting)
			n.waitForLog(pod, name, logStarting)
			n.eventually("the pod is ready", func() bool { return n.isReady(pod) })
			if codes := n.codes(pod, name); len(codes) > 0 {
				t.Errorf("its container has ended with %v", codes)
			}
		})
	}
}

func (n *namespace) isReady(pod string) bool {
	seen, _ := n.pod(pod)
	for _, condition := range seen.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// The Job of the example for Linkerd completes, and its sidecar was asked to shut down.
func TestJobLinkerdExample(t *testing.T) {
	isLong(t)
	t.Parallel()
	n := newNamespace(t)
	n.applyFile("job-linkerd/job.yaml")
	pod := n.podOfJob("job")
	if end, reason := n.waitForJob("job"); end != "Complete" {
		t.Errorf("the Job is %s: %s", end, reason)
	}
	if log := n.log(pod, "job"); !strings.Contains(log, logStarting) || !strings.Contains(log, "app is done") {
		t.Errorf("the application has not worked:\n%s", log)
	}
	if log := n.log(pod, "linkerd-proxy"); !strings.Contains(log, "was asked to shut down") {
		t.Errorf("the sidecar was not asked to shut down:\n%s", log)
	}
}

// The metrics of a pod are in the node exporter's, with the pod's labels.
func TestMonitoringExample(t *testing.T) {
	isLong(t)
	t.Parallel()
	n := newNamespace(t)
	n.kubectl("create", "configmap", "startgate-label", "--from-file="+examples+"/monitoring/label.sh")
	n.applyFile("monitoring/deployment.yaml")                            // before node.yaml: it must not need it
	n.kubectl("set", "env", "deployment/web", "STARTGATE_WAIT_FOR=none") // nobody injects here
	n.eventually("the application is ready", func() bool {
		return strings.Contains(n.kubectl("get", "deployment", "web"), "1/1") &&
			strings.Contains(n.kubectl("rollout", "status", "deployment/web", "--watch=false"), "successfully rolled out")
	})
	n.applyFile("monitoring/node.yaml")
	exporter := n.podOf("startgate-metrics")
	n.waitUntilRunning(exporter, "node-exporter")
	n.eventually("the node exporter has the metrics", func() bool {
		metrics, _ := n.command("get", "--raw", "/api/v1/namespaces/"+n.name+"/pods/"+exporter+":9100/proxy/metrics").CombinedOutput()
		return regexp.MustCompile(`startgate_\w+\{.*namespace="` + n.name + `".*workload="web"`).Match(metrics)
	})
}

// Each whole manifest in a README is taken by the API server, which warns of unknown fields,
// and its container starts the application or waits for what it names.
func TestREADMEManifests(t *testing.T) {
	isLong(t)
	readmes, err := filepath.Glob(examples + "/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, readme := range append(readmes, examples+"/../README.md") {
		for _, manifest := range readmeManifests(t, readme) {
			found++
			t.Run(filepath.Base(filepath.Dir(readme)), func(t *testing.T) {
				t.Parallel()
				n := newNamespace(t)
				n.apply(manifest)
				pod := n.podOfJob("job")
				event := logStarting
				if strings.Contains(manifest, "redis://cache") { // which is not there
					event = logWaiting
				}
				n.waitForLog(pod, "job", event)
			})
		}
	}
	if found < 3 {
		t.Errorf("%d manifests in the READMEs", found)
	}
}

// readmeManifests returns the whole manifests of a README. A part of one is not applied.
func readmeManifests(t testing.TB, readme string) (manifests []string) {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?ms)^```yaml\n(apiVersion.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		manifests = append(manifests, block[1])
	}
	return manifests
}
