package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	os.Setenv("KUBECONFIG", os.DevNull) // of whoever runs the tests
	os.Unsetenv("NO_COLOR")
	os.Exit(m.Run())
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1
        command: [/app]
        args: [--listen, ":8080"]
        livenessProbe: {httpGet: {path: /healthz, port: 8080}}
`

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", path, diff)
	}
}

// TestLive reads from an API server what the fixture has as files, and says the same.
func TestLive(t *testing.T) {
	server := newAPIServer(t, "language-go", deployment)
	for _, target := range []string{"web-7d4b9c-x2x7k", "pod/web-7d4b9c-x2x7k", "deploy/web"} {
		out, errOut, code := server.run(t, "diagnose", target)
		if !strings.HasPrefix(out, "startup race: web was refused once") || code != CodeProblem || errOut != "" {
			t.Errorf("%s: code %d\n%s%s", target, code, out, errOut)
		}
		if strings.Contains(out, "Not read") {
			t.Errorf("%s: all could be read, and it says:\n%s", target, out)
		}
	}
	for _, asked := range server.asked {
		if !strings.HasPrefix(asked, "GET ") {
			t.Errorf("it must only read: %s", asked)
		}
		if strings.HasPrefix(asked, "GET pods/log") && (strings.Contains(asked, "tailLines") || !strings.Contains(asked, "limitBytes=10485761") || !strings.Contains(asked, "timestamps=true")) {
			t.Errorf("logs are read from their head, within limits: %s", asked)
		}
	}
}

// TestForbidden reads what it may, and names the rest.
func TestForbidden(t *testing.T) {
	for _, test := range []struct {
		name    string
		allowed []string
		target  string
		verdict string
		missing []string
		code    int
	}{
		{"pods only", []string{"pods"}, "web-7d4b9c-x2x7k", "cannot tell: missing: the log of web", []string{
			"get deployments web: forbidden", "list events shop: forbidden", "get pods/log web-7d4b9c-x2x7k -c web: forbidden", "get pods/log web-7d4b9c-x2x7k -c istio-proxy: forbidden",
		}, CodeUndecided},
		{"pods only, by their Deployment", []string{"pods"}, "deploy/web", "cannot tell: missing: the log of web", []string{"get deployments web: forbidden"}, CodeUndecided},
		{"no events", []string{"pods", "pods/log", "deployments"}, "deploy/web", "startup race: web was refused once", []string{"list events shop: forbidden"}, CodeProblem},
		{"nothing", []string{"none"}, "web-7d4b9c-x2x7k", "", nil, CodeFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newAPIServer(t, "language-go", deployment)
			server.allowed = test.allowed
			out, errOut, code := server.run(t, "diagnose", test.target)
			if !strings.HasPrefix(out, test.verdict) || code != test.code {
				t.Errorf("code %d, want %d\n%s%s", code, test.code, out, errOut)
			}
			for _, missing := range test.missing {
				if strings.Count(out, "  "+missing+"\n") != 1 {
					t.Errorf("not once: %q in\n%s", missing, out)
				}
			}
			if code == CodeFailed && errOut != "kubectl startgate: cannot get pods web-7d4b9c-x2x7k: forbidden\n" {
				t.Errorf("%q", errOut)
			}
		})
	}
}

// TestSave writes what --from reads, without what is nobody's business, and comes to the same verdict.
func TestSave(t *testing.T) {
	for _, fixture := range []string{"language-go", "hold-ran-out", "gated-124", "job-kept", "native-no-probe"} {
		t.Run(fixture, func(t *testing.T) {
			server := newAPIServer(t, fixture, deployment)
			pod := "web-7d4b9c-x2x7k"
			if fixture == "job-kept" {
				pod = "migrate-8x2kq"
			}
			object := server.objects["pods/"+pod]
			metadata := object["metadata"].(map[string]any)
			metadata["annotations"].(map[string]any)["kubectl.kubernetes.io/last-applied-configuration"] = `{"password":"SECRET"}`
			spec := object["spec"].(map[string]any)
			for _, c := range spec["containers"].([]any) {
				c.(map[string]any)["env"] = []any{map[string]any{"name": "PASSWORD", "value": "SECRET"}}
				c.(map[string]any)["args"] = []any{"--password=SECRET"}
			}
			dir := filepath.Join(t.TempDir(), "incident")
			live, errOut, code := server.run(t, "diagnose", pod, "--save", dir)
			if !strings.Contains(errOut, "The logs are whole: they may hold passwords") {
				t.Errorf("no warning: %q", errOut)
			}
			checkNoSecret(t, dir)
			again, _, codeAgain := run(t, "diagnose", "--from", dir)
			first, _, _ := strings.Cut(live, "\n")
			firstAgain, _, _ := strings.Cut(again, "\n")
			if fixture == "job-kept" { // its duration goes on
				first, _, _ = strings.Cut(first, " and istio-proxy has kept")
				firstAgain, _, _ = strings.Cut(firstAgain, " and istio-proxy has kept")
			}
			if first != firstAgain || code != codeAgain {
				t.Errorf("live, code %d: %s\nsaved, code %d: %s", code, first, codeAgain, firstAgain)
			}
		})
	}
}

func checkNoSecret(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "SECRET") {
			t.Errorf("%s has a secret:\n%s", path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPatch(t *testing.T) {
	server := newAPIServer(t, "language-go", deployment, strings.NewReplacer("name: web, namespace", "name: image, namespace", "        command: [/app]\n", "", "        args: [--listen, \":8080\"]\n", "").Replace(deployment))
	for name, args := range map[string][]string{
		"patch.golden":           {"patch", "deploy/web", "--image", "registry.example/startgate:1"},
		"patch-kustomize.golden": {"patch", "deploy/web", "--image", "registry.example/startgate:1", "-o", "kustomize", "--quit", "istio"},
		"patch-blanks.golden":    {"patch", "deploy/image", "--wait-for", "linkerd,redis://cache"},
	} {
		out, errOut, code := server.run(t, args...)
		golden(t, name, out+errOut)
		if code != 0 {
			t.Errorf("%v: code %d", args, code)
		}
	}
}

func TestScan(t *testing.T) {
	server := newAPIServer(t, "language-go", deployment)
	for _, fixture := range []string{"job-kept", "healthy-native", "gated-124", "not-injected"} {
		other := newAPIServer(t, fixture)
		for key, object := range other.objects {
			metadata := object["metadata"].(map[string]any)
			if strings.HasPrefix(key, "pods/") {
				metadata["name"] = metadata["name"].(string) + fixture
				metadata["namespace"] = "ns-" + fixture
				server.objects["pods/"+metadata["name"].(string)] = object
			}
		}
	}
	out, errOut, code := run(t, "scan", "-A", "--server", server.URL)
	golden(t, "scan.golden", out+errOut)
	if code != 0 {
		t.Errorf("code %d", code)
	}
	out, errOut, _ = run(t, "scan", "-A", "--logs", "--server", server.URL)
	golden(t, "scan-logs.golden", out+errOut)
	for _, output := range []string{"json", "yaml"} {
		out, errOut, _ = run(t, "scan", "-A", "--logs", "-o", output, "--server", server.URL)
		golden(t, "scan-"+output+".golden", out+errOut)
	}
	server.allowed = []string{"events"}
	if _, errOut, code := run(t, "scan", "-A", "--server", server.URL); code != CodeFailed || errOut != "kubectl startgate: cannot list pods in all namespaces: forbidden\n" {
		t.Errorf("code %d, %q", code, errOut)
	}
}

func TestOutputs(t *testing.T) {
	server := newAPIServer(t, "language-go", deployment)
	_ = server
	dir := unpackFixture(t, "language-go")
	for _, output := range []string{"json", "yaml", "markdown", "patch", "kustomize"} {
		out, errOut, _ := run(t, "diagnose", "--from", dir, "-o", output)
		golden(t, "output-"+output+".golden", out+errOut)
	}
	out, errOut, _ := run(t, "diagnose", "--from", dir, "-o", "patch", "--cure", "startgate")
	golden(t, "output-patch-startgate.golden", out+errOut)
}

func TestMistakes(t *testing.T) {
	dir := unpackFixture(t, "language-go")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"diagnose"}, "name a pod, or a workload as deploy/NAME, or give -l SELECTOR"},
		{[]string{"diagnose", "deply/web", "--server", "http://127.0.0.1:1"}, `"deply" is no workload: write a pod's name, or deploy, sts, ds, rs, job or cronjob with /NAME`},
		{[]string{"diagnose", "--from", "no-such-folder"}, "lstat no-such-folder: no such file or directory"},
		{[]string{"diagnose", "--from", dir, "other"}, dir + " has no pod other, only shop/web-7d4b9c-x2x7k"},
		{[]string{"diagnose", "--from", dir, "-o", "xml"}, "-o xml is unknown: write one of text, json, yaml, markdown, patch, kustomize"},
		{[]string{"diagnose", "--from", dir, "-o", "patch", "--cure", "hope"}, `no cure "hope": there are hold, native, startgate`},
		{[]string{"diagnose", "--from", dir, "--at", "noon"}, "--at noon is no time: write it as 2026-11-22T10:42:00Z"},
		{[]string{"scan", "-o", "xml"}, "-o xml is unknown: write one of text, json, yaml"},
		{[]string{"patch", "web"}, `"web" names no workload: write it as deploy/NAME`},
	} {
		_, errOut, code := run(t, test.args...)
		if want := "kubectl startgate: " + test.want + "\n"; errOut != want || code != CodeFailed {
			t.Errorf("%v: code %d, %q", test.args, code, errOut)
		}
	}
	if out, _, code := run(t, "diagnose", "--print-role"); code != 0 || !slices.Contains(strings.Split(out, "\n"), "kind: ClusterRole") {
		t.Errorf("%d, %s", code, out)
	}
}

// TestLimits asks the API server for less.
func TestLimits(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // in each question for a log
	}{
		{[]string{"--since", "5m"}, "sinceSeconds=300"},
		{[]string{"--at", "2026-11-22T10:42:00Z"}, "sinceTime=2026-11-22T10%3A32%3A00Z"},
		{[]string{"--log-bytes", "100"}, "limitBytes=101"},
	} {
		server := newAPIServer(t, "language-go", deployment)
		out, errOut, _ := server.run(t, append([]string{"diagnose", "web-7d4b9c-x2x7k"}, test.args...)...)
		logs := 0
		for _, asked := range server.asked {
			if strings.HasPrefix(asked, "GET pods/log?") {
				logs++
				if !strings.Contains(asked, test.want) {
					t.Errorf("%v: %s", test.args, asked)
				}
			}
		}
		if logs != 4 {
			t.Errorf("%v: %d logs\n%s%s", test.args, logs, out, errOut)
		}
	}
}

// TestTruncated: of a log that is longer than the limit, its head is read, and the output says so.
func TestTruncated(t *testing.T) {
	server := newAPIServer(t, "healthy")
	server.logs["web"] += strings.Repeat("2026-11-22T10:42:02Z GET / 200\n", 1000)
	out, _, code := server.run(t, "diagnose", "web-7d4b9c-x2x7k", "--log-bytes", "5000")
	if code != CodeHealthy || !strings.Contains(out, "  the log of web is longer than the limit, and its end was not read\n") {
		t.Errorf("code %d\n%s", code, out)
	}
}

// TestContainer looks at one of several applications, and at all sidecars.
func TestContainer(t *testing.T) {
	server := newAPIServer(t, "language-go", deployment)
	server.run(t, "diagnose", "web-7d4b9c-x2x7k", "--container", "web")
	for _, asked := range server.asked {
		if strings.HasPrefix(asked, "GET pods/log?") && !strings.Contains(asked, "container=web") && !strings.Contains(asked, "container=istio-") {
			t.Error(asked)
		}
	}
	_, errOut, code := server.run(t, "diagnose", "web-7d4b9c-x2x7k", "--container", "other")
	if want := "kubectl startgate: pod web-7d4b9c-x2x7k has no container other, only istio-init, web, istio-proxy\n"; code != CodeFailed || errOut != want {
		t.Errorf("code %d, %q", code, errOut)
	}
}

// TestSelector has 30 pods, of which two raced. They are looked at first, and the rest is not asked for.
func TestSelector(t *testing.T) {
	server := newAPIServer(t, "healthy")
	raced := newAPIServer(t, "language-go")
	const pod = "pods/web-7d4b9c-x2x7k"
	for i := range 30 {
		name, from := fmt.Sprintf("web-7d4b9c-%02d", i), server
		if i == 17 || i == 23 {
			from = raced
			for _, container := range []string{"web", "web/previous", "istio-proxy"} {
				server.logs[name+"/"+container] = raced.logs[container]
			}
		}
		object := maps.Clone(from.objects[pod])
		object["metadata"] = maps.Clone(object["metadata"].(map[string]any))
		object["metadata"].(map[string]any)["name"] = name
		server.objects["pods/"+name] = object
	}
	delete(server.objects, pod)
	out, errOut, code := server.run(t, "diagnose", "-l", "app=web")
	var verdicts []string
	for _, part := range strings.Split("\n\n"+out, "\npod shop/")[1:] {
		name, _, _ := strings.Cut(part, " ")
		verdicts = append(verdicts, name)
	}
	if want := []string{"web-7d4b9c-17", "web-7d4b9c-23", "web-7d4b9c-00"}; len(verdicts) != 10 || !slices.Equal(verdicts[:3], want) {
		t.Errorf("%q, want 10 that begin with %q", verdicts, want)
	}
	if races := strings.Count(out, "startup race: web was refused once"); races != 2 || code != CodeProblem || errOut != "30 pods: looking at the 10 with most restarts (--max-pods)\n" {
		t.Errorf("code %d, %d races, %q\n%s", code, races, errOut, out)
	}
}
