//go:build linux

package tests

// The tables of examples/migrating for users of other waiting tools: each row is run, what
// they wrote beside what to write now.

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// move is how a row is run.
type move struct {
	row          string         // the row's first code
	left         string         // the other tool's command line, with the row in place of ROW
	target       string         // for startgate, where the row has no target or only an option
	stands       []func(*stand) // what is waited for
	never        bool           // nothing gets ready
	alone        bool           // there is no application
	code         int            // the other tool's exit code, if not the application's
	gateCode     int            // startgate's, likewise
	silent       bool           // the other tool's questions are not seen, in its log or by a server
	gateSilent   bool           // startgate's are not
	gateSettings []string       // startgate's settings for the test
	needs        string         // what the other tool's help must have, because only newer ones do it
	sameEnv      bool           // startgate gets the row's own variable
}

// migratedApp prints a line, and exits with a code of its own.
const (
	migratedApp  = "echo started\nexit 7"
	migratedCode = 7
)

const (
	dockerizeTCP = "dockerize -wait-retry-interval 20ms -wait tcp://db:5432 ROW app"
	dockerizeWeb = "dockerize -wait-retry-interval 20ms -wait http://web/health ROW app"
	wait4xTCP    = "wait4x tcp db:5432 --interval 20ms ROW && exec app"
	wait4xWeb    = "wait4x http http://web/health --interval 20ms ROW && exec app"
	wait4x200    = "wait4x http http://web/health --expect-status-code 200 --interval 20ms ROW && exec app"
	health       = "http://web/health"
)

// moves are the rows of each table. Those that have no counterpart, of which the page says
// "nothing", are not among them.
var moves = map[string][]move{
	"dockerize": {
		{row: "-wait tcp://db:5432", left: "dockerize -wait-retry-interval 20ms ROW app", stands: []func(*stand){db}},
		{row: "-wait http://web/health", left: "dockerize -wait-retry-interval 20ms ROW app", stands: []func(*stand){web(answers(204, ""))}},
		{row: "-wait http://web/", left: "dockerize -wait-retry-interval 20ms ROW app", stands: []func(*stand){webFrom(redirects(503), redirects(200))}},
		{row: "-wait tcp://db:5432 -wait http://web/health", left: "dockerize -wait-retry-interval 20ms ROW app", stands: []func(*stand){db, web(answers(200, ""))}},
		{row: "-wait unix:///run/app.sock", left: "dockerize -wait-retry-interval 20ms ROW app", stands: []func(*stand){socket}},
		{row: "-wait file:///run/ready", left: "dockerize -wait-retry-interval 20ms ROW app", stands: []func(*stand){file}, silent: true},
		{row: `-wait-http-header "Authorization: Basic dTpw"`, left: dockerizeWeb, target: health + "#status=200-299", stands: []func(*stand){web(authorized)}},
		{row: "SSL_CERT_FILE=/etc/ca.pem", left: "ROW dockerize -wait-retry-interval 20ms -wait https://web/ app", target: "https://web/", stands: []func(*stand){secure}},
		{row: "SSL_CERT_FILE=/etc/ca.pem", left: "ROW dockerize -wait-retry-interval 20ms -wait https://web/ app", target: "https://web/", stands: []func(*stand){secure}, sameEnv: true},
		{row: "-timeout 1m", left: dockerizeTCP, target: "tcp://db:5432", stands: []func(*stand){db}, never: true, code: 1, gateCode: codeTimeout},
		{row: "-wait-retry-interval 2s", left: "dockerize -wait tcp://db:5432 ROW app", target: "tcp://db:5432", stands: []func(*stand){db}},
	},
	"wait4x": {
		{row: "tcp db:5432 -- app", left: "wait4x ROW", stands: []func(*stand){db}, needs: "-- command", code: 1},
		{row: "tcp db:5432", left: "wait4x ROW", alone: true, target: "tcp://db:5432", stands: []func(*stand){db}},
		{row: "http http://web/health", left: "wait4x --interval 20ms ROW && exec app", stands: []func(*stand){refusing}},
		{row: "--expect-status-code 204", left: wait4xWeb, target: health, stands: []func(*stand){webFrom(answers(200, ""), answers(204, ""))}},
		{row: "--expect-body-regex UP", left: wait4xWeb, target: health, stands: []func(*stand){webFrom(answers(200, "DOWN"), answers(200, "is UP now"))}, needs: "--expect-body-regex"},
		{row: "--expect-body-json db.state", left: wait4xWeb, target: health, stands: []func(*stand){webFrom(answers(200, `{"db":{}}`), answers(200, `{"db":{"state":"UP"}}`))}, needs: "--expect-body-json"},
		{row: `--request-header "Authorization: Basic dTpw"`, left: wait4x200, target: health, stands: []func(*stand){web(authorized)}, needs: "--request-header"},
		{row: "--no-redirect --expect-status-code 302", left: "wait4x http http://web/ --interval 20ms ROW && exec app", target: "http://web/", stands: []func(*stand){web(redirects(503))}, needs: "--no-redirect"},
		{row: "--insecure-skip-tls-verify", left: "wait4x http https://web/ --interval 20ms ROW --expect-status-code 200 && exec app", target: "https://web/", stands: []func(*stand){secure}, needs: "--insecure-skip"},
		{row: "--ca-file /etc/ca.pem", left: "wait4x http https://web/ --interval 20ms ROW --expect-status-code 200 && exec app", target: "https://web/", stands: []func(*stand){secure}, needs: "--ca-file"},
		{row: "--timeout 1m", left: wait4xTCP, target: "tcp://db:5432", stands: []func(*stand){db}, never: true, code: codeTimeout, gateCode: codeTimeout},
		{row: "--timeout 0", left: wait4xTCP, target: "tcp://db:5432", stands: []func(*stand){db}, needs: "0 is unlimited"},
		{row: "--interval 2s", left: "wait4x tcp db:5432 ROW && exec app", target: "tcp://db:5432", stands: []func(*stand){db}},
		{row: "--connection-timeout 5s", left: wait4xTCP, target: "tcp://db:5432", stands: []func(*stand){db}},
		{row: "--quiet", left: wait4x200, target: health, stands: []func(*stand){web(answers(200, ""))}, needs: "--quiet"},
		{row: `exec "test -e /run/ready"`, left: "wait4x --interval 20ms ROW && exec app", target: "none", stands: []func(*stand){file}, needs: "exec COMMAND", gateSilent: true},
	},
	"wait-for-it": {
		{row: "db:5432 --strict", left: "wait-for-it ROW -- app", stands: []func(*stand){db}},
		{row: "db:5432", left: "wait-for-it ROW --timeout=1 -- app", stands: []func(*stand){db}, never: true, gateSettings: []string{"TIMEOUT=1s"}},
		{row: "--host=db --port=5432 --strict", left: "wait-for-it ROW -- app", stands: []func(*stand){db}},
		{row: "--timeout=60", left: "wait-for-it db:5432 --strict ROW -- app", target: "tcp://db:5432", stands: []func(*stand){db}, never: true, code: 124, gateCode: codeTimeout},
		{row: "--timeout=0", left: "wait-for-it db:5432 --strict ROW -- app", target: "tcp://db:5432", stands: []func(*stand){db}},
		{row: "--quiet", left: "wait-for-it db:5432 --strict ROW -- app", target: "tcp://db:5432", stands: []func(*stand){db}, gateSilent: true},
		{row: "db:5432 --strict -- wait-for-it cache:6379 --strict", left: "wait-for-it ROW -- app", stands: []func(*stand){db, cache}},
		{row: "(no command)", alone: true, left: "wait-for-it db:5432", target: "tcp://db:5432", stands: []func(*stand){db}},
	},
	"docker-compose-wait": {
		{row: "WAIT_HOSTS=db:5432, cache:6379", stands: []func(*stand){db, cache}},
		{row: "WAIT_PATHS=/run/ready", stands: []func(*stand){file}},
		{row: "WAIT_TIMEOUT=60", target: "tcp://db:5432", stands: []func(*stand){db}, never: true, gateCode: codeTimeout},
		{row: "WAIT_SLEEP_INTERVAL=2", target: "tcp://db:5432", stands: []func(*stand){db}},
		{row: "WAIT_HOST_CONNECT_TIMEOUT=5", target: "tcp://db:5432", stands: []func(*stand){db}},
		{row: "WAIT_LOGGER_LEVEL=error", target: health, stands: []func(*stand){web(answers(200, ""))}},
		{row: `WAIT_COMMAND="/app --flag"`, target: "tcp://db:5432", stands: []func(*stand){db}},
	},
}

// shorter are the page's times as the tests have them.
var shorter = strings.NewReplacer("=1m", "=1s", "timeout 1m", "timeout 1s", "=60s", "=1s", "=60", "=1", "interval 2s", "interval 20ms", "MAX=2s", "MAX=20ms")

var codeSpan = regexp.MustCompile("`([^`]+)`")

// migratingRows returns the two cells of each row of a table, but for those without a
// counterpart.
func migratingRows(t *testing.T, tool string) (rows [][2]string) {
	t.Helper()
	section, _, _ := strings.Cut(markdown.Section(t, migratingFile, "## From "+tool), "\n### ")
	for line := range strings.Lines(section) {
		cells := strings.Split(line, " | ")
		left, isRow := strings.CutPrefix(cells[0], "| ")
		if !isRow || len(cells) != 2 || left == tool || left == "---" || strings.HasPrefix(cells[1], "nothing") {
			continue
		}
		rows = append(rows, [2]string{left, strings.TrimSuffix(strings.TrimSpace(cells[1]), " |")})
	}
	return rows
}

// rowName is a row's first code, or what stands in its place.
func rowName(left string) string {
	if match := codeSpan.FindStringSubmatch(left); match != nil {
		return match[1]
	}
	return left
}

func TestMigratingTables(t *testing.T) {
	need(t, "sh")
	for tool, rows := range moves {
		page := migratingRows(t, tool)
		if len(page) < 7 {
			t.Errorf("%s: the page has only %q", tool, page)
		}
		for _, row := range page {
			found := 0
			for _, m := range rows {
				if m.row == rowName(row[0]) {
					found++
					t.Run(tool+"/"+m.row, func(t *testing.T) {
						t.Parallel()
						m.run(t, tool, row[1])
					})
				}
			}
			if found == 0 {
				t.Errorf("%s: no test runs the row %s", tool, row[0])
			}
		}
	}
}

// run runs both sides of a row.
func (m move) run(t *testing.T, tool, right string) {
	app := filepath.Dir(appScript(t, migratedApp))
	path := "PATH=" + app + ":" + filepath.Dir(binary) + ":/usr/bin:/bin"
	if m.left != "" {
		if line, ok := m.other(t, tool); ok {
			m.side(t, func(s *stand) *exec.Cmd {
				cmd := exec.Command("sh", "-c", s.words(line))
				cmd.Env = []string{path + ":" + filepath.Dir(rival(t, tool))}
				return cmd
			}, m.code, m.silent || tool == "wait-for-it")
		}
	}
	m.side(t, func(s *stand) *exec.Cmd {
		cmd := m.gate(s, right)
		cmd.Env = append(cmd.Env, path)
		return cmd
	}, m.gateCode, m.gateSilent)
}

// other returns the other tool's command line, unless the tool that is here cannot do it.
func (m move) other(t *testing.T, tool string) (line string, ok bool) {
	t.Helper()
	line = strings.ReplaceAll(m.left, "ROW", m.row)
	kind := "http"
	if strings.HasPrefix(m.row, "exec") || strings.HasPrefix(m.row, "tcp") {
		kind, _, _ = strings.Cut(m.row, " ")
	}
	help, _ := exec.Command(rival(t, tool), kind, "--help").CombinedOutput()
	if !strings.Contains(string(help), m.needs) {
		t.Logf("this version of %s cannot do %s", tool, m.row)
		return "", false
	}
	return shorter.Replace(line), true
}

// gate returns startgate with what the page says.
func (m move) gate(s *stand, right string) *exec.Cmd {
	target, argv := m.target, []string{binary, "--", "app"}
	settings := []string{"BACKOFF_MAX=20ms", "LOG_LEVEL=debug"}
	settings = append(settings, m.gateSettings...)
	for _, match := range codeSpan.FindAllStringSubmatch(right, -1) {
		switch span := match[1]; {
		case strings.HasPrefix(span, "STARTGATE_"):
			settings = append(settings, shorter.Replace(s.words(strings.TrimPrefix(span, "STARTGATE_"))))
		case strings.HasPrefix(span, "#") && strings.Contains(span, "=") || span == "#insecure":
			if !m.sameEnv {
				target = addOption(target, span)
			}
		case span == "startgate --wait":
			argv = []string{binary, "--wait"}
		case strings.Contains(span, "/startgate -- "):
			line := strings.NewReplacer("/startgate", binary, "/app", "app", "sleep 1", "sleep 0.02").Replace(s.words(span))
			argv = []string{"sh", "-c", line}
		}
	}
	if target != "" {
		settings = append(settings, "WAIT_FOR="+s.words(target))
	}
	cmd := command(settings, argv...)
	if m.sameEnv {
		cmd.Env = append(cmd.Env, s.words(m.row))
	}
	return cmd
}

// addOption adds an option to a target.
func addOption(target, option string) string {
	if strings.Contains(target, "#") {
		return target + "&" + option[1:]
	}
	return target + option
}

// asks matches what startgate, dockerize and wait4x print for each question.
var asks = regexp.MustCompile("event=probe|Sleeping|Checking")

// side starts one of the two beside what it waits for, and checks that it waits until all
// of it is ready: it asks again after an answer.
func (m move) side(t *testing.T, cmd func(*stand) *exec.Cmd, code int, silent bool) {
	t.Helper()
	s := &stand{TB: t}
	for _, build := range m.stands {
		build(s)
	}
	p := start(t, cmd(s))
	questions := func() int {
		return max(len(asks.FindAllString(p.out.String()+p.log.String(), -1)), int(s.asked.Load()))
	}
	if m.never {
		s.steps = nil
	}
	for _, step := range s.steps {
		if before := questions(); !silent {
			eventually(p, "questions", func() bool { return p.hasExited() || questions() >= before+2 })
		}
		if p.hasExited() || strings.Contains(p.out.String(), "started") {
			p.Fatalf("it does not wait")
		}
		step()
	}
	if code == 0 && !m.alone {
		code = migratedCode
	}
	p.ends(code)
	want := !m.alone && (!m.never || code == migratedCode)
	if got := strings.Contains(p.out.String(), "started"); got != want {
		p.Errorf("the application has started: %t", got)
	}
}
