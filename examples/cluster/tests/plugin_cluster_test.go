package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// newRacing makes a Deployment, and waits until its application was restarted and then its proxy has become ready. It
// returns the pod's name too.
func newRacing(t *testing.T) (incident, string) {
	i := newIncident(t)
	pod := i.app("racing", withoutStartgate)
	pod.Labels["app"] = "racing"
	_, err := cluster.Client.AppsV1().Deployments(i.name).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "racing"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "racing"}},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: pod.Spec},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	name := i.racingPod("")
	i.waitForEnds(name, "app", 2)
	i.waitForLog(name, "istio-proxy", "listens")
	i.letBecomeReady(name)
	sidecarReady(i, name)
	return i, name
}

// racingPod waits for a pod of the Deployment that is not the one before.
func (i incident) racingPod(before string) (name string) {
	i.Helper()
	i.eventually("the Deployment has a pod", func() bool {
		for _, name = range i.podNames() {
			if strings.HasPrefix(name, "racing-") && name != before {
				return true
			}
		}
		return false
	})
	return name
}

// The patch that the plugin prints makes a Deployment healthy that races, and scan shows both.
func TestPluginPatch(t *testing.T) {
	t.Parallel()
	i, before := newRacing(t)
	job := i.createJob(aPod("kept", "echo works"))
	kept(i, job)
	rows := i.scan()
	if len(rows) != 2 || !strings.HasPrefix(rows[0], "job/kept 1 istio startgate 0 1") || !strings.HasPrefix(rows[1], "deployment/racing 1 istio none ") || strings.HasSuffix(rows[1], " 0 0") {
		t.Errorf("scan, the Job first because it hurts more:\n%s", strings.Join(rows, "\n"))
	}
	patch, errOut, code := i.plugin("patch", "deploy/racing", "--image", "registry.example/startgate:1")
	if code != 0 || strings.Contains(patch, "<FILL IN>") {
		t.Fatalf("code %d\n%s%s", code, patch, errOut)
	}
	file := filepath.Join(t.TempDir(), "patch.yaml")
	if err := os.WriteFile(file, []byte(patch), 0o600); err != nil {
		t.Fatal(err)
	}
	i.kubectl("patch", "deployment", "racing", "--patch-file", file)
	becomesReady(i, i.racingPod(before))
	i.kubectl("rollout", "status", "deployment", "racing", fmt.Sprintf("--timeout=%v", patience))
	i.eventually("the application serves", func() bool {
		log, err := i.command("logs", "deployment/racing", "-c", "app").Output()
		return err == nil && strings.Contains(string(log), "it serves")
	})
	found, out := i.diagnose("deploy/racing")
	if found.names() != "healthy" || !strings.Contains(found.Verdict.Summary, "before app's first line") {
		t.Errorf("after\n%s\n%s", patch, out)
	}
	if rows := i.scan(); len(rows) != 2 || rows[1] != "deployment/racing 1 istio startgate 1 0 0" {
		t.Errorf("scan:\n%s", strings.Join(rows, "\n"))
	}
}

// scan returns the rows of this namespace among those of all.
func (n *namespace) scan() (rows []string) {
	n.Helper()
	out, errOut, code := n.plugin("scan", "-A")
	if code != 0 {
		n.Errorf("scan: code %d\n%s", code, errOut)
	}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); fields[0] == n.name {
			rows = append(rows, strings.Join(fields[1:], " "))
		}
	}
	if testing.Verbose() {
		n.Log("\n" + out)
	}
	return rows
}

// What the plugin saves shows the same as the cluster.
func TestPluginSave(t *testing.T) {
	t.Parallel()
	i, _ := newRacing(t)
	dir := filepath.Join(t.TempDir(), "saved")
	live, _ := i.diagnose("deploy/racing", "--save", dir)
	saved, out := i.diagnose("--from", dir)
	if live.Verdict.Name != "startup-race" || live.names() != saved.names() || live.Verdict.Summary != saved.Verdict.Summary {
		t.Errorf("live: %+v\nsaved:\n%s", live, out)
	}
}

// Of a user who may read little, the plugin says what it could not read. The Role that it prints is enough.
func TestPluginRBAC(t *testing.T) {
	t.Parallel()
	i, _ := newRacing(t)
	user := func(name string, args ...string) []string {
		return append(args, "--as", "system:serviceaccount:"+i.name+":"+name)
	}
	for _, name := range []string{"nobody", "reader", "user"} {
		i.kubectl("create", "serviceaccount", name)
	}
	i.kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
	role, _, _ := i.plugin("diagnose", "--print-role")
	i.apply(strings.Replace(role, "kind: ClusterRole", "kind: Role", 1))
	for name, role := range map[string]string{"reader": "reader", "user": "kubectl-startgate"} {
		i.kubectl("create", "rolebinding", name, "--role="+role, "--serviceaccount="+i.name+":"+name)
		i.eventually(name+" may read pods", func() bool {
			return i.command(user(name, "get", "pods")...).Run() == nil
		})
	}
	if _, errOut, code := i.plugin(user("nobody", "diagnose", "deploy/racing")...); code != 2 || !strings.Contains(errOut, "cannot list pods in "+i.name+": forbidden") {
		t.Errorf("nobody: code %d, %s", code, errOut)
	}
	if _, errOut, code := i.plugin(user("user", "scan", "-A")...); code != 2 || !strings.Contains(errOut, "cannot list pods in all namespaces: forbidden") {
		t.Errorf("user: code %d, %s", code, errOut)
	}
	i.checkReader(user("reader", "deploy/racing"))
	found, out := i.diagnose(user("user", "deploy/racing")...)
	if len(found.NotRead) > 0 || found.Verdict.Name != "startup-race" {
		t.Errorf("with the Role:\n%s", out)
	}
	for _, args := range [][]string{{"scan"}, {"patch", "deploy/racing"}} {
		if _, errOut, code := i.plugin(user("user", args...)...); code != 0 {
			t.Errorf("%v: code %d, %s", args, code, errOut)
		}
	}
}

// checkReader checks what is said to one who may read pods alone.
func (i incident) checkReader(args []string) {
	i.Helper()
	found, out := i.diagnose(args...)
	if found.Verdict.Severity != "undecided" {
		i.Errorf("the verdict is %+v", found.Verdict)
	}
	var gaps []string
	for _, gap := range found.NotRead {
		if gap.Why != "forbidden" {
			i.Errorf("%+v", gap)
		}
		gaps = append(gaps, gap.Verb+" "+gap.Resource)
	}
	for _, gap := range []string{"get deployments", "list events", "get pods/log"} {
		if !strings.Contains(strings.Join(gaps, ", "), gap) {
			i.Errorf("%q is not said:\n%s", gap, out)
		}
	}
	if testing.Verbose() {
		text, _, _ := i.plugin(append([]string{"diagnose"}, args...)...)
		i.Log("\n" + text)
	}
}
