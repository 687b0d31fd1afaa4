package tests

// STARTGATE_METRICS: what is served and written, and that it costs nothing else.

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scrape gets the metrics from addr, in the format that accept asks for.
func scrape(t *testing.T, addr, accept string) (string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), response.Header
}

// The metrics are served and written while startgate waits, and written at the hand-over and
// at the end.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, gate := filepath.Join(dir, "app.prom"), filepath.Join(dir, "gate")
	addr, quits := freeAddr(t), startSidecar(t, "")
	p := startGate(t, []string{"WAIT_FOR=file://" + gate, "METRICS=" + addr + "," + file, "QUIT=" + quits.url()},
		"sh", "-c", "trap 'exit 3' USR1; cat "+file+" >"+dir+"/at-handover; kill -USR1 $PPID; sleep 9 >/dev/null 2>&1 & wait")
	p.untilLog("is not ready yet")

	text, _ := scrape(t, addr, "")
	for _, want := range []string{
		`startgate_waiting{target="file://` + gate + `"} 1`,
		`startgate_probes_total{outcome="not_ready",target="file://` + gate + `"} `,
		`startgate_handover_timestamp_seconds 0`,
		`startgate_app_exit_code -1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("while it waits, /metrics has no %s:\n%s", want, text)
		}
	}
	eventually(p, "the file says what it waits for", func() bool {
		return strings.Contains(readIfThere(t, file), `startgate_waiting{target="file://`+gate+`"} 1`)
	})
	openMetrics, header := scrape(t, addr, "application/openmetrics-text; version=1.0.0")
	if !strings.HasPrefix(header.Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(openMetrics, "# EOF\n") {
		t.Errorf("OpenMetrics is %q, ending with %q", header.Get("Content-Type"), openMetrics[max(0, len(openMetrics)-20):])
	}

	if err := os.WriteFile(gate, []byte("open"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.ends(3)
	handover, err := os.ReadFile(filepath.Join(dir, "at-handover"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(handover, []byte(`startgate_waiting{target="file://`+gate+`"} 0`)) || bytes.Contains(handover, []byte("startgate_handover_timestamp_seconds 0\n")) {
		t.Errorf("at the hand-over the file is\n%s", handover)
	}
	end, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"startgate_app_exit_code 3\n",
		`startgate_probes_total{outcome="ready",target="file://` + gate + `"} 1`,
		`startgate_quits_total{outcome="accepted",target="` + quits.url() + `"} 1`,
		`startgate_quit_seconds{target="` + quits.url() + `"} `,
		`startgate_signals_forwarded_total{signal="SIGUSR1"} 1`,
	} {
		if !strings.Contains(string(end), want) {
			t.Errorf("at the end the file has no %s:\n%s", want, end)
		}
	}
}

// The file is written also when there is no application, or it cannot be run, and
// then there was no hand-over.
func TestMetricsWithoutAStart(t *testing.T) {
	dir := t.TempDir()
	file, broken := filepath.Join(dir, "x.prom"), filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("\x7fELF\x00"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--wait"}, {"--", broken}} {
		p := runToEnd(t, command([]string{"WAIT_FOR=file://" + broken, "METRICS=" + file}, append([]string{binary}, args...)...))
		text := readIfThere(t, file)
		if !strings.Contains(text, "startgate_handover_timestamp_seconds 0\n") || !strings.Contains(text, `outcome="ready"`) {
			p.Errorf("the file is\n%s", text)
		}
		os.Remove(file)
	}
}

// What cannot be done about metrics is a warning, and the application starts.
func TestMetricsThatCannotBe(t *testing.T) {
	t.Parallel()
	busy := startSidecar(t, "").addr
	for where, want := range map[string]string{
		busy:               "cannot serve metrics at " + busy + ": address already in use",
		"192.0.2.1:80":     "cannot serve metrics at 192.0.2.1:80: cannot assign requested address",
		"/proc/x.prom":     "cannot write metrics to /proc/x.prom: ",
		"/missing/x.prom":  "cannot write metrics to /missing/x.prom: no such file or directory",
		"/dev/full/x.prom": "cannot write metrics to /dev/full/x.prom: not a directory",
	} {
		p := startGate(t, []string{"WAIT_FOR=none", "METRICS=" + where}, "sh", "-c", "exit 7")
		p.ends(7)
		p.logHas(`level=WARN msg="` + want)
	}
	const neither = "it is neither an address nor an absolute path: write it like :9102 or /path/x.prom"
	for where, want := range map[string]string{
		"x.prom": "1: " + neither, "9102": "1: " + neither, ":http": "1: " + neither, ":0": "1: " + neither, ":9102,:a/b": "2: " + neither,
		"/dir/":     "1: it is a directory: write the path of a file, like /path/x.prom",
		":9102,,/x": "2: it is empty: remove the extra comma",
	} {
		p := startGate(t, []string{"WAIT_FOR=none", "METRICS=" + where}, "true")
		p.ends(codeFailed)
		p.logHas("STARTGATE_METRICS: cannot use item " + want)
	}
}

// In an image built from scratch nothing but a name server knows localhost.
func TestMetricsAtLocalhost(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	_, port, _ := strings.Cut(freeAddr(t), ":")
	p := start(t, command([]string{"WAIT_FOR=none", "METRICS=localhost:" + port},
		"unshare", "--mount", "sh", "-ec", `mount --bind /dev/null /etc/hosts; mount --bind /dev/null /etc/resolv.conf; exec "$0" sh -c "exit 7"`, binary))
	p.ends(7)
	p.logHasNot("cannot serve")
}

// A disk that is full or read-only costs the metrics, and nothing else.
func TestMetricsOnABadDisk(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	for setUp, want := range map[string]string{
		`mount -t tmpfs -o size=4k none "$2"; head -c 4096 /dev/zero >"$2/rest"`: "no space left on device",
		`mount -t tmpfs -o ro none "$2"`:                                         "read-only file system",
	} {
		dir := t.TempDir()
		p := start(t, command([]string{"WAIT_FOR=none", "METRICS=" + dir + "/x.prom"},
			"unshare", "--mount", "sh", "-ec", setUp+`; exec "$1" sh -c "exit 7"`, "sh", binary, dir))
		p.ends(7)
		p.logHas("cannot write metrics to " + dir + "/x.prom: " + want)
	}
}

// A file of a whole run, with all its metrics, passes promtool's check.
func TestMetricsPromtool(t *testing.T) {
	t.Parallel()
	need(t, "promtool")
	file := filepath.Join(t.TempDir(), "x.prom")
	s := startReady(t, "")
	p := startGate(t, []string{"WAIT_FOR=" + s.url(), "METRICS=" + file, "QUIT=" + s.url()},
		"sh", "-c", "trap 'exit 3' USR1; kill -USR1 $PPID; sleep 9 >/dev/null 2>&1 & wait")
	p.ends(3)
	text := readIfThere(t, file)
	if strings.Count(text, "# TYPE startgate_") != 11 {
		t.Errorf("the file has not all metrics:\n%s", text)
	}
	check := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
