package monitoring

// Helpers: a few pods with startgate on one machine, and a node exporter and a Prometheus
// that watch them.

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fleet is a few pods with startgate, a node exporter and a Prometheus. Nothing of them is
// left when the test ends.
type fleet struct {
	dir        string
	binary     string // startgate
	ready      string // a sidecar that is ready, and shuts down when asked
	stubborn   string // one that is ready, and refuses to shut down
	unready    string // one that is never ready
	canonical  *strings.Replacer
	prometheus string // its URL
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{
		dir:      t.TempDir(),
		ready:    sidecar(t, http.StatusOK, http.StatusOK),
		stubborn: sidecar(t, http.StatusOK, http.StatusNotFound),
		unready:  sidecar(t, http.StatusServiceUnavailable, http.StatusNotFound),
	}
	f.binary = filepath.Join(f.dir, "startgate")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", f.binary, "../../cmd/startgate")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// rules_test.yml has these addresses.
	f.canonical = strings.NewReplacer(f.ready, "http://127.0.0.1:15020", f.stubborn, "http://127.0.0.1:15020", f.unready, "http://127.0.0.1:15021")
	return f
}

// sidecar starts a server that answers a readiness probe and a shutdown request with these
// statuses.
func sidecar(t *testing.T, ready, quit int) (addr string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/ready", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(ready) })
	mux.HandleFunc("POST /quitquitquit", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(quit) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// start runs the pods, each to the end that it has here, and then what watches them.
func (f *fleet) start(t *testing.T) {
	t.Helper()
	ready, unready := "STARTGATE_WAIT_FOR="+f.ready+"/healthz/ready", "STARTGATE_WAIT_FOR="+f.unready+"/healthz/ready"
	for _, name := range []string{"web-1", "web-2", "web-3"} {
		f.pod(t, "web", name, 0, "true", ready)
	}
	f.pod(t, "web", "web-4", 124, "true", ready+","+f.unready+"/healthz/ready", "STARTGATE_TIMEOUT=2s")
	f.pod(t, "ledger", "ledger-1", 124, "true", unready, "STARTGATE_TIMEOUT=2s")
	f.pod(t, "report", "report-1", 3, "exit 3", ready, "STARTGATE_QUIT="+f.stubborn+"/quitquitquit")
	f.pod(t, "report", "report-2", 0, "true", ready, "STARTGATE_QUIT="+f.ready+"/quitquitquit")

	mail := freeAddr(t)
	background(t, []string{unready, "STARTGATE_METRICS=" + mail}, f.binary, "true")
	audit := f.file(t, "audit", "audit-1")
	background(t, []string{unready, "STARTGATE_METRICS=" + audit}, f.binary, "true")
	f.eventually(t, "a pod that waits writes "+audit, func() bool { _, err := os.Stat(audit); return err == nil })

	textfiles := filepath.Join(f.dir, "textfiles")
	if err := os.Mkdir(textfiles, 0o700); err != nil {
		t.Fatal(err)
	}
	runLabel(t, f.raw(t), textfiles)
	exporter := freeAddr(t)
	background(t, nil, "prometheus-node-exporter", "--web.listen-address="+exporter, "--log.level=warn",
		"--collector.disable-defaults", "--collector.textfile", "--collector.textfile.directory="+textfiles)
	f.scrape(t, []discovered{
		{Targets: []string{exporter}, Labels: map[string]string{
			"namespace": "monitoring", "pod_name": "startgate-metrics-x7k2p", "pod_node_name": "node-1", "pod_ready": "true", "pod_phase": "Running",
			"pod_label_app_kubernetes_io_name": "startgate-metrics", "pod_container_port_name": "metrics",
		}},
		{Targets: []string{mail}, Labels: startgatePod("mail", "mail-1", "node-2", "false", "Running")},
		{Targets: []string{freeAddr(t)}, Labels: startgatePod("web", "web-1", "node-1", "true", "Running")},
		{Targets: []string{freeAddr(t)}, Labels: startgatePod("report", "report-1", "node-1", "false", "Failed")},
	})
}

// raw returns the directory that the pods write to.
func (f *fleet) raw(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(f.dir, "pods")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// file returns the file of a pod's metrics.
func (f *fleet) file(t *testing.T, workload, name string) string {
	t.Helper()
	return filepath.Join(f.raw(t), "shop_"+workload+"_"+name+".prom")
}

// pod runs startgate to its end, with the file of the README's manifest.
func (f *fleet) pod(t *testing.T, workload, name string, want int, script string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), f.binary, "sh", "-c", script)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"STARTGATE_METRICS=" + f.file(t, workload, name),
	}, env...)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("%s: exit code is %d, want %d (%v)\n%s", name, code, want, err, out)
	}
}

// background starts a command that ends with the test.
func background(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the end of t.Context
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), log.String())
		}
	})
}

// discovered is what Prometheus learns about a pod's port. The labels lack their prefix
// __meta_kubernetes_.
type discovered struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

func startgatePod(workload, name, node, ready, phase string) map[string]string {
	return map[string]string{
		"namespace": "shop", "pod_name": name, "pod_node_name": node, "pod_ready": ready, "pod_phase": phase,
		"pod_label_app_kubernetes_io_name": workload, "pod_container_port_name": "startgate",
	}
}

// scrape starts Prometheus with prometheus.yml, changed in two points: Prometheus scrapes
// and evaluates every second, and it finds the pods in a file, with the same labels,
// because Debian's Prometheus is built without Kubernetes.
func (f *fleet) scrape(t *testing.T, pods []discovered) {
	t.Helper()
	for i, pod := range pods {
		labels := map[string]string{}
		for name, value := range pod.Labels {
			labels["__meta_kubernetes_"+name] = value
		}
		pods[i].Labels = labels
	}
	list, err := json.Marshal(pods)
	if err != nil {
		t.Fatal(err)
	}
	config := read(t, "prometheus.yml")
	for _, change := range []struct {
		from, to string
		n        int
	}{
		{"scrape_interval: 15s", "scrape_interval: 1s", 1},
		{"evaluation_interval: 15s", "evaluation_interval: 1s", 1},
		{"kubernetes_sd_configs:\n      - role: pod\n", "file_sd_configs:\n      - files: [pods.json]\n", 2},
	} {
		if n := strings.Count(config, change.from); n != change.n {
			t.Fatalf("prometheus.yml has %q %d times, want %d", change.from, n, change.n)
		}
		config = strings.ReplaceAll(config, change.from, change.to)
	}
	for name, text := range map[string]string{"prometheus.yml": config, "rules.yml": read(t, "rules.yml"), "pods.json": string(list)} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(f.dir, "prometheus.yml")
	if out, err := exec.CommandContext(t.Context(), "promtool", "check", "config", file).CombinedOutput(); err != nil {
		t.Fatalf("promtool check config: %v\n%s", err, out)
	}
	addr := freeAddr(t)
	f.prometheus = "http://" + addr
	background(t, nil, "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(f.dir, "tsdb"),
		"--web.listen-address="+addr, "--log.level=warn")
	f.eventually(t, "both jobs are scraped", func() bool { return f.query(t, "up == 1") == 2 })
}

// patience is how long a test waits for something that usually takes seconds. It is long
// enough for a machine that is busy.
const patience = 2 * time.Minute

// eventually waits until a condition is met.
func (f *fleet) eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !met(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s; targets are %q", patience, what, f.targets(t))
		}
	}
}

// get requests a path of Prometheus's API, and reports whether there was an answer. While
// Prometheus starts, there is none.
func (f *fleet) get(t *testing.T, path string, parameters url.Values, data any) (answered bool) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.prometheus+"/api/v1/"+path+"?"+parameters.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusServiceUnavailable {
		return false
	}
	answer := struct{ Data any }{data}
	if err := json.Unmarshal(body, &answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s?%s: %v\n%s", path, parameters.Encode(), err, body)
	}
	return true
}

// query returns the number of series that an expression has.
func (f *fleet) query(t *testing.T, expr string) int {
	t.Helper()
	var data struct{ Result []json.RawMessage }
	f.get(t, "query", url.Values{"query": {expr}}, &data)
	return len(data.Result)
}

// targets returns the job, the instance and the health of each target.
func (f *fleet) targets(t *testing.T) []string {
	t.Helper()
	var data struct {
		ActiveTargets []struct {
			Labels struct{ Job, Instance string }
			Health string
		}
	}
	f.get(t, "targets", url.Values{"state": {"active"}}, &data)
	var all []string
	for _, target := range data.ActiveTargets {
		all = append(all, target.Labels.Job+" "+target.Labels.Instance+" "+target.Health)
	}
	slices.Sort(all)
	return all
}

// series returns the scraped series, written as in rules_test.yml.
func (f *fleet) series(t *testing.T) map[string]bool {
	t.Helper()
	var data []map[string]string
	f.get(t, "series", url.Values{"match[]": {`{__name__=~"(startgate|node_textfile)_.+"}`}}, &data)
	all := map[string]bool{}
	for _, labels := range data {
		var pairs []string
		for name, value := range labels {
			if name != "__name__" {
				pairs = append(pairs, fmt.Sprintf("%s=%q", name, f.canonical.Replace(value)))
			}
		}
		slices.Sort(pairs)
		all[labels["__name__"]+"{"+strings.Join(pairs, ",")+"}"] = true
	}
	return all
}

// alerts returns the firing alerts with their workloads, and checks that every rule is
// healthy.
func (f *fleet) alerts(t *testing.T) []string {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct {
				Name, Health, LastError string
				Alerts                  []struct {
					State  string
					Labels struct{ Workload string }
				}
			}
		}
	}
	f.get(t, "rules", nil, &data)
	var firing []string
	for _, group := range data.Groups {
		for _, rule := range group.Rules {
			if rule.Health != "ok" {
				t.Errorf("rule %s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
			for _, alert := range rule.Alerts {
				if alert.State == "firing" {
					firing = append(firing, rule.Name+" "+alert.Labels.Workload)
				}
			}
		}
	}
	slices.Sort(firing)
	return firing
}

// labelValues returns the number of values of label_values(SELECTOR, LABEL).
func (f *fleet) labelValues(t *testing.T, call string) int {
	t.Helper()
	arguments := strings.TrimSuffix(strings.TrimPrefix(call, "label_values("), ")")
	comma := strings.LastIndex(arguments, ", ")
	if comma < 0 {
		t.Fatalf("%s is not label_values(SELECTOR, LABEL)", call)
	}
	selector := strings.ReplaceAll(arguments[:comma], "$namespace", ".*")
	var values []string
	f.get(t, "label/"+arguments[comma+2:]+"/values", url.Values{"match[]": {selector}}, &values)
	return len(values)
}

// freeAddr returns a loopback address at which nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
