package monitoring

// The rules, the dashboard, the scrape configuration and label.sh: against series that
// startgate has written, a node exporter has read and a Prometheus has scraped.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// need skips the test if one of these commands is missing. With NOSKIP=1, as in CI, the
// test fails instead.
func need(t *testing.T, commands ...string) {
	t.Helper()
	for _, name := range commands {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("NOSKIP") != "" {
			t.Fatalf("needs %s", name)
		} else if err != nil {
			t.Skipf("needs %s", name)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// promtool accepts the rules, and the rules do what rules_test.yml says.
func TestRules(t *testing.T) {
	need(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "--lint-fatal", "rules.yml"},
		{"test", "rules", "rules_test.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	tested := read(t, "rules_test.yml")
	for _, rule := range regexp.MustCompile(`- (?:record|alert): (\S+)`).FindAllStringSubmatch(read(t, "rules.yml"), -1) {
		if !strings.Contains(tested, rule[1]) {
			t.Errorf("rules_test.yml does not test %s", rule[1])
		}
	}
}

// Each alert leads to a section of the first page that is there.
func TestRunbooks(t *testing.T) {
	anchors := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^##+ (.*)$`).FindAllStringSubmatch(read(t, "../../README.md"), -1) {
		anchors[regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), "")] = true
	}
	rules := read(t, "rules.yml")
	runbooks := regexp.MustCompile(`runbook_url: https://github\.com/startgate/startgate#(\S+)\n`).FindAllStringSubmatch(rules, -1)
	if alerts := strings.Count(rules, "- alert: "); len(runbooks) != alerts {
		t.Errorf("%d alerts have %d runbook_urls", alerts, len(runbooks))
	}
	for _, runbook := range runbooks {
		if !anchors[strings.ReplaceAll(runbook[1], "-", " ")] {
			t.Errorf("README.md has no section for #%s", runbook[1])
		}
	}
}

// A fleet writes the series that rules_test.yml starts from. They answer every query of the
// rules and of the dashboard.
func TestFleet(t *testing.T) {
	need(t, "prometheus", "promtool", "prometheus-node-exporter")
	f := newFleet(t)
	f.start(t)

	t.Run("targets", func(t *testing.T) {
		want := []string{"startgate-files node-1 up", "startgate-waiting node-2 up"}
		f.eventually(t, fmt.Sprintf("Prometheus scrapes %q: the pod that is ready has closed its address", want), func() bool {
			return slices.Equal(f.targets(t), want)
		})
	})
	t.Run("series", func(t *testing.T) {
		var missing []string
		written := map[string]bool{}
		defer func() {
			if t.Failed() {
				t.Logf("nothing writes\n%s\nwritten are\n%s", strings.Join(missing, "\n"), strings.Join(slices.Sorted(maps.Keys(written)), "\n"))
			}
		}()
		tested := regexp.MustCompile(`- series: '(.*)'`).FindAllStringSubmatch(read(t, "rules_test.yml"), -1)
		f.eventually(t, "all series in rules_test.yml are written", func() bool {
			missing, written = nil, f.series(t)
			for _, series := range tested {
				if !written[series[1]] {
					missing = append(missing, series[1])
				}
			}
			return len(missing) == 0
		})
	})
	t.Run("rules", func(t *testing.T) {
		// The last rule, and those that read the two jobs.
		f.eventually(t, "all rules are evaluated", func() bool {
			return f.query(t, `ALERTS{alertname="StartgateQuitFails"}`) == 1 &&
				f.query(t, "workload:startgate_gave_up:count") == 2 && f.query(t, "pod_target:startgate_waiting_seconds:max") == 2
		})
		firing := f.alerts(t)
		for _, want := range []string{"StartgateGaveUp ledger", "StartgateGaveUp web", "StartgateQuitFails report"} {
			if !slices.Contains(firing, want) {
				t.Errorf("firing are %q, want %s too", firing, want)
			}
		}
	})
	t.Run("dashboard", func(t *testing.T) {
		d := readDashboard(t)
		for _, q := range d.queries() {
			f.eventually(t, q.panel+": "+q.expr+" has series", func() bool { return f.query(t, q.expr) > 0 })
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				f.eventually(t, "the variable "+v.Name+" has values", func() bool { return f.labelValues(t, v.Query.Query) > 0 })
			}
		}
	})
}

// dashboard is the part of dashboard.json that the tests use.
type dashboard struct {
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type string
			Query      variableQuery
		}
	}
	Panels []panel
}

type panel struct {
	ID         int
	Title      string
	Type       string
	Datasource struct{ Type, UID string }
	GridPos    struct{ H, W, X, Y int }
	Targets    []struct {
		Expr, RefID string
		Instant     bool
		Datasource  struct{ UID string }
	}
}

// variableQuery is the query of a variable, an object, or that of a data source, a string.
type variableQuery struct{ Query string }

func (q *variableQuery) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte(`"`)) {
		return json.Unmarshal(text, &q.Query)
	}
	type object variableQuery
	return json.Unmarshal(text, (*object)(q))
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// query is an expression in which the variables have been replaced by their values.
type query struct{ panel, expr string }

func (d dashboard) queries() []query {
	values := strings.NewReplacer("$namespace", ".*", "$workload", ".*")
	var all []query
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			all = append(all, query{panel.Title, values.Replace(target.Expr)})
		}
	}
	return all
}

// In Grafana, every panel queries the data source that the user has selected, and no panel
// covers another.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	if d.SchemaVersion != 42 {
		t.Errorf("schemaVersion is %d, want 42, the classic model's last", d.SchemaVersion)
	}
	if first := d.Templating.List[0]; first.Type != "datasource" || first.Name != "datasource" || first.Query.Query != "prometheus" {
		t.Errorf("the first variable is %+v, want the data source", first)
	}
	var rows []string
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: id %d is taken", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			rows = append(rows, p.Title)
		} else if p.Datasource.Type != "prometheus" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: data source %+v and %d queries", p.Title, p.Datasource, len(p.Targets))
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" || target.RefID == "" || target.Instant != (p.Type != "timeseries") {
				t.Errorf("%s: query %+v", p.Title, target)
			}
			if !strings.Contains(target.Expr, "$namespace") || !strings.Contains(target.Expr, "$workload") {
				t.Errorf("%s: %s does not heed the variables", p.Title, target.Expr)
			}
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("%s covers %q, or lies outside, at %d,%d", p.Title, other, x, y)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
	if want := []string{"Now", "Last hour", "Details"}; !slices.Equal(rows, want) {
		t.Errorf("the rows are %q, want %q", rows, want)
	}
}

// label.sh copies only startgate's series, from files whose names it can trust, and deletes
// files that are an hour old: with this system's tools and with those of busybox.
func TestLabelScript(t *testing.T) {
	t.Run("system", func(t *testing.T) { testLabelScript(t, os.Getenv("PATH")) })
	t.Run("busybox", func(t *testing.T) {
		need(t, "busybox")
		busybox, err := exec.LookPath("busybox")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, tool := range []string{"sh", "find", "grep", "mv", "rm", "sed"} {
			if err := os.Symlink(busybox, filepath.Join(dir, tool)); err != nil {
				t.Fatal(err)
			}
		}
		testLabelScript(t, dir)
	})
}

func testLabelScript(t *testing.T, path string) {
	t.Setenv("PATH", path)
	from, to := t.TempDir(), t.TempDir()
	text := "# HELP startgate_waiting Whether.\n# TYPE startgate_waiting gauge\n" +
		`startgate_waiting{target="http://h/a b?q=***"} 0` + "\nstartgate_handover_timestamp_seconds 12\n" +
		"# TYPE node_load1 gauge\nnode_load1 99\n"
	for _, name := range []string{"shop_my_web_web-1.prom", "shop__web-2.prom", "shop_web_a b.prom", `shop_web_a"b.prom`, "shop_web.prom", "shop_web_web-3.prom123", "shop_web_old.prom"} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(from, "shop_web_link.prom")); err != nil {
		t.Fatal(err)
	}
	runLabel(t, from, to)
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(from, "shop_web_old.prom"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "another.prom"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	runLabel(t, from, to)

	if got, want := names(t, to), []string{"another.prom", "startgate.shop__web-2.prom", "startgate.shop_my_web_web-1.prom"}; !slices.Equal(got, want) {
		t.Errorf("written are %q, want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(from, "shop_web_old.prom")); err == nil {
		t.Error("the old file is still there")
	}
	want := "# HELP startgate_waiting Whether.\n# TYPE startgate_waiting gauge\n" +
		`startgate_waiting{namespace="shop",workload="my_web",pod="web-1",target="http://h/a b?q=***"} 0` + "\n" +
		`startgate_handover_timestamp_seconds{namespace="shop",workload="my_web",pod="web-1"} 12` + "\n"
	if got := read(t, filepath.Join(to, "startgate.shop_my_web_web-1.prom")); got != want {
		t.Errorf("labelled is\n%s\nwant\n%s", got, want)
	}
	if got := read(t, filepath.Join(to, "startgate.shop__web-2.prom")); !strings.Contains(got, `{namespace="shop",workload="",pod="web-2"} 12`) {
		t.Errorf("without a workload it is\n%s", got)
	}
}

// A pod that waits writes its file every 30 seconds. One that no longer does was killed, and
// waits for nothing.
func TestLabelScriptOfAKilledPod(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"shop_web_killed.prom":  `startgate_waiting{target="istio"} 1` + "\n",
		"shop_web_waits.prom":   `startgate_waiting{target="istio"} 1` + "\n",
		"shop_web_started.prom": `startgate_waiting{target="istio"} 0` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runLabel(t, from, to)
	earlier := time.Now().Add(-3 * time.Minute)
	for _, name := range []string{"shop_web_killed.prom", "shop_web_started.prom"} {
		if err := os.Chtimes(filepath.Join(from, name), earlier, earlier); err != nil {
			t.Fatal(err)
		}
	}
	runLabel(t, from, to)
	if got, want := names(t, to), []string{"startgate.shop_web_started.prom", "startgate.shop_web_waits.prom"}; !slices.Equal(got, want) {
		t.Errorf("written are %q, want %q", got, want)
	}
}

// runLabel runs label.sh.
func runLabel(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "sh", "label.sh", from, to).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("label.sh: %v\n%s", err, out)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
