package wait

// This file runs the kinds of wait4x in examples/migrating against real servers: what its
// users wrote, where the version that testdata/rivals builds has the kind, and the target
// to write now.

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var wait4xFile = flag.String("wait4x", "", "`FILE` is the wait4x to run instead of the one that is built")

// wait4x returns the path of the tool.
func wait4x(t testing.TB) string {
	t.Helper()
	skipInShort(t)
	if *wait4xFile != "" {
		return *wait4xFile
	}
	dir, err := testDir()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "wait4x")
	if _, err := os.Stat(binary); err != nil {
		build := command(dir, "go", "build", "-o", binary, "github.com/atkrad/wait4x/cmd/wait4x")
		build.SysProcAttr, build.Env, build.Dir = nil, nil, "../cmd/startgate/tests/testdata/rivals"
		run(t, build)
	}
	return binary
}

// kinds start the servers, by wait4x's names of them, and return their addresses. The server
// has what the page's line asks for: the password, the user, the database. InfluxDB's is a
// stand-in.
var kinds = map[string]func(*testing.T) string{
	"redis": func(t *testing.T) string {
		port := unusedPort(t)
		startRedis(t, ownDir(t), port, "--requirepass", "secret")
		return "127.0.0.1:" + port
	},
	"postgresql": func(t *testing.T) string {
		port, data := unusedPort(t), initPostgres(t, false)
		single := command(data, postgresProgram(t, "postgres"), "--single", "-D", data, "postgres")
		single.Stdin = strings.NewReader("CREATE ROLE \"user\" LOGIN\nCREATE DATABASE app\n")
		run(t, single)
		startPostgres(t, data, port, "host all all all trust")
		return "127.0.0.1:" + port
	},
	"mysql": func(t *testing.T) string {
		port := unusedPort(t)
		start := write(t, ownDir(t), "start.sql", "CREATE DATABASE app;\n")
		startMariaDB(t, port, "--skip-grant-tables", "--skip-name-resolve", "--init-file="+start)
		return "127.0.0.1:" + port
	},
	"mongodb": func(t *testing.T) string { return startMongo(t) },
	"kafka":   func(t *testing.T) string { return startKafka(t) },
	"rabbitmq": func(t *testing.T) string {
		port := unusedPort(t)
		startRabbitMQ(t, "listeners.tcp.1 = 127.0.0.1:"+port)
		return "127.0.0.1:" + port
	},
	"influxdb": func(t *testing.T) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/ping" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.WriteHeader(http.StatusNoContent) // as its documentation has it
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	},
	"temporal": func(t *testing.T) string {
		server := startHealth(t)
		server.set("temporal.api.workflowservice.v1.WorkflowService", "SERVING")
		return server.addr
	},
	"dns": func(*testing.T) string { return "localhost" },
}

// pageAddr matches the addresses in the page's lines.
var pageAddr = regexp.MustCompile(`\b[a-z]+:\d{4,5}\b|localhost`)

// Neither side takes a server for ready before it is there, and both do afterwards.
func TestMigratingKinds(t *testing.T) {
	text, err := os.ReadFile("../examples/migrating/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "### The kinds of wait4x\n")
	table, _, _ = strings.Cut(table, "\nWhat differs")
	rows := regexp.MustCompile("(?m)^\\| `((\\w+) [^`]+)` \\| `STARTGATE_WAIT_FOR=([^`]+)` \\|$").FindAllStringSubmatch(table, -1)
	if len(rows) != len(kinds) {
		t.Errorf("the page has the kinds %q", rows)
	}
	tool := wait4x(t) // built before the kinds run side by side
	for _, row := range rows {
		t.Run(row[2], func(t *testing.T) {
			t.Parallel()
			dead := "127.0.0.1:" + unusedPort(t)
			if row[2] == "dns" {
				dead = "missing.invalid"
			}
			with := func(line, addr string) string { return pageAddr.ReplaceAllLiteralString(line, addr) }
			checkNotReady(t, row[3], probe(t, mustParse(t, with(row[3], dead))))
			runWait4x(t, tool, row[2], with(row[1], dead)+" --timeout 200ms --interval 20ms", 124)
			addr := kinds[row[2]](t)
			if err := For(withTimeout(t, time.Minute), mustParse(t, with(row[3], addr)), Policy{}); err != nil {
				t.Error(err)
			}
			runWait4x(t, tool, row[2], with(row[1], addr)+" --timeout 1m --interval 20ms", 0)
		})
	}
}

// runWait4x runs a command line of wait4x, if this version has the kind, and checks its exit
// code.
func runWait4x(t *testing.T, tool, kind, line string, code int) {
	t.Helper()
	help, _ := exec.Command(tool, "--help").CombinedOutput()
	if !strings.Contains(string(help), "\n  "+kind+" ") {
		t.Logf("this version of wait4x has no %s", kind)
		return
	}
	cmd := exec.Command("sh", "-c", `exec "$0" `+line, tool)
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != code {
		t.Errorf("wait4x %s: exit code %d, want %d\n%s", line, cmd.ProcessState.ExitCode(), code, out)
	}
}
