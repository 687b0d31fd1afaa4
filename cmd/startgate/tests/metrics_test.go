package tests

import (
	"bufio"
	"bytes"
	"io"
	"net"
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

// The metrics are served while startgate waits, and written at the hand-over and
// at the end.
func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	file, gate := filepath.Join(dir, "app.prom"), filepath.Join(dir, "gate")
	addr := "127.0.0.1:" + freePort(t)
	leaver := newLeaver(t, quitsAtOnce)
	cmd := exec.CommandContext(t.Context(), binary, "--", "sh", "-c", "trap 'exit 3' USR1; cat "+file+" >"+dir+"/at-handover; kill -USR1 $PPID; sleep 9 >/dev/null 2>&1 & wait")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "STARTGATE_WAIT_FOR=file://" + gate,
		"STARTGATE_METRICS=" + addr + "," + file, "STARTGATE_QUIT=" + leaver.url,
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "is not ready yet") {
	}

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
	openMetrics, header := scrape(t, addr, "application/openmetrics-text; version=1.0.0")
	if !strings.HasPrefix(header.Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(openMetrics, "# EOF\n") {
		t.Errorf("OpenMetrics is %q, ending with %q", header.Get("Content-Type"), openMetrics[max(0, len(openMetrics)-20):])
	}

	if err := os.WriteFile(gate, []byte("open"), 0o600); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code is %d, want the application's 3", code)
	}
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
		`startgate_quits_total{outcome="accepted",target="` + leaver.url + `"} 1`,
		`startgate_quit_seconds{target="` + leaver.url + `"} `,
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
		out := outputOf(t, []string{"STARTGATE_WAIT_FOR=file://" + broken, "STARTGATE_METRICS=" + file}, args...)
		text := readIfThere(t, file)
		if !strings.Contains(text, "startgate_handover_timestamp_seconds 0\n") || !strings.Contains(text, `outcome="ready"`) {
			t.Errorf("%q: the file is\n%s\nand the log\n%s", args, text, out)
		}
		os.Remove(file)
	}
}

// What cannot be done about metrics is a warning, and the application starts.
func TestMetricsThatCannotBe(t *testing.T) {
	busy := strings.TrimPrefix(newLeaver(t, quitsAtOnce).url, "http://")
	for where, want := range map[string]string{
		busy:               "cannot serve metrics at " + busy + ": address already in use",
		"192.0.2.1:80":     "cannot serve metrics at 192.0.2.1:80: cannot assign requested address",
		"/proc/x.prom":     "cannot write metrics to /proc/x.prom: ",
		"/missing/x.prom":  "cannot write metrics to /missing/x.prom: no such file or directory",
		"/dev/full/x.prom": "cannot write metrics to /dev/full/x.prom: not a directory",
	} {
		code, log, _ := supervised(t, []string{"STARTGATE_METRICS=" + where}, "sh", "-c", "exit 7")
		if code != 7 || !strings.Contains(log, `level=WARN msg="`+want) {
			t.Errorf("%s: exit code is %d, want 7 and a warning %q; log:\n%s", where, code, want, log)
		}
	}
	for where, want := range map[string]string{
		"x.prom":     `"x.prom" is not an address or an absolute path: write it like :9102 or /path/x.prom`,
		"9102":       `"9102" is not an address`,
		":http":      `":http" is not an address`,
		":0":         `":0" is not an address`,
		"/dir/":      `"/dir/" is not an address`,
		":9102,,/x":  `"" is not an address`,
		":9102,:a/b": `":a/b" is not an address`,
	} {
		code, log, _ := supervised(t, []string{"STARTGATE_METRICS=" + where}, "true")
		if code != codeFailed || !strings.Contains(log, want) {
			t.Errorf("%s: exit code is %d, want 125 and %q; log:\n%s", where, code, want, log)
		}
	}
}

// A disk that is full or read-only costs the metrics, and nothing else.
func TestMetricsOnABadDisk(t *testing.T) {
	need(t, "root", "unshare", "mount")
	for setUp, want := range map[string]string{
		`mount -t tmpfs -o size=4k none "$2"; head -c 4096 /dev/zero >"$2/rest"`: "no space left on device",
		`mount -t tmpfs -o ro none "$2"`:                                         "read-only file system",
	} {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-ec", setUp+`
exec env STARTGATE_WAIT_FOR=none STARTGATE_METRICS="$2/x.prom" "$1" sh -c "exit 7"`, "sh", binary, dir)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 7 || !strings.Contains(string(out), "cannot write metrics to "+dir+"/x.prom: "+want) {
			t.Errorf("%v, want exit status 7 and a warning %q:\n%s", err, want, out)
		}
	}
}

// A file of a whole run, with all its metrics, passes promtool's check.
func TestMetricsPromtool(t *testing.T) {
	need(t, "promtool")
	file := filepath.Join(t.TempDir(), "x.prom")
	quits := newLeaver(t, quitsAtOnce)
	settings := []string{"STARTGATE_WAIT_FOR=" + readyServer(t), "STARTGATE_METRICS=" + file, "STARTGATE_QUIT=" + quits.url}
	code, log, _ := supervised(t, settings, "sh", "-c", "trap 'exit 3' USR1; kill -USR1 $PPID; sleep 9 >/dev/null 2>&1 & wait")
	text := readIfThere(t, file)
	if code != 3 || strings.Count(text, "# TYPE startgate_") != 11 {
		t.Errorf("exit code is %d, want 3, and the file has not all metrics; log:\n%s\nfile:\n%s", code, log, text)
	}
	check := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// freePort is a port that nobody uses.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}
