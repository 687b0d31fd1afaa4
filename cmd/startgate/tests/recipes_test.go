//go:build linux

package tests

// The command lines of examples/recipes, run as they stand there: only paths, addresses and
// times are the test's own.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// recipe is what a page has under one heading: settings without their prefix, and a command
// line, either of which may be missing.
type recipe struct {
	settings []string
	argv     []string
}

// readRecipe reads the first YAML block under a heading, and puts the test's own strings in
// the place of the page's. Each of these must be there.
func readRecipe(t *testing.T, heading string, ours ...string) recipe {
	t.Helper()
	_, block, _ := strings.Cut(markdown.Section(t, recipesFile, "## "+heading), "```yaml\n")
	block, _, found := strings.Cut(block, "```\n")
	if !found {
		t.Fatalf("%s has no recipe", heading)
	}
	for i := 0; i < len(ours); i += 2 {
		if !strings.Contains(block, ours[i]) {
			t.Errorf("%s: there is no %s", heading, ours[i])
		}
	}
	block = strings.NewReplacer(ours...).Replace(block)
	var r recipe
	for _, match := range regexp.MustCompile(`name: STARTGATE_(\w+), value: "?([^"}]+)"?}`).FindAllStringSubmatch(block, -1) {
		r.settings = append(r.settings, match[1]+"="+match[2])
	}
	if _, list, ok := strings.Cut(block, "command: "); ok {
		list, _, _ = strings.Cut(list, "\n")
		if err := json.Unmarshal([]byte(list), &r.argv); err != nil {
			t.Fatalf("%s: %v", heading, err)
		}
	}
	return r
}

// appScript writes an executable shell script, and returns its path.
func appScript(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// The application has the secret, and the process that was started.
func TestRecipeSecretFile(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "env")
	r := readRecipe(t, "Read a secret file into the environment", "/startgate", binary, "/vault/secrets/env", secret,
		"/app", appScript(t, `echo "$DB_PASSWORD, process $$, $*"`), "istio,", startReady(t, "").url()+",")
	p := start(t, command(r.settings, r.argv...))
	p.untilLog("it does not exist")
	if err := os.WriteFile(secret+".new", []byte("export DB_PASSWORD='two words'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(secret+".new", secret); err != nil {
		t.Fatal(err)
	}
	p.ends(0)
	if want := fmt.Sprintf("two words, process %d, --flag\n", p.pid()); p.out.String() != want {
		p.Errorf("want %q", want)
	}
}

// The application starts without the cache, and only the first gate shuts the sidecar down.
func TestRecipeOptionalTarget(t *testing.T) {
	t.Parallel()
	s := startReady(t, "")
	r := readRecipe(t, "A target that is optional", "/startgate", binary, "/app", appScript(t, `echo "app $*"`),
		"value: istio", "value: "+s.url(), "redis://cache", "redis://127.0.0.1:1", "TIMEOUT=10s", "TIMEOUT=100ms")
	p := runToEnd(t, command(append(r.settings, "QUIT="+s.url()), r.argv...))
	p.ends(0)
	if p.out.String() != "app --flag\n" {
		p.Errorf("the application did not start")
	}
	p.logHas("starting env", "starting "+r.argv[len(r.argv)-2])
	s.checkQuits(1)
}

// The sidecar gets the token, and the log does not show it.
func TestRecipeQuitHeader(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
	}))
	t.Cleanup(server.Close)
	r := readRecipe(t, "A header for a shutdown request", "http://localhost:9000", server.URL, "$(TOKEN)", "s3cret")
	p := startGate(t, append(r.settings, "WAIT_FOR=none", "LOG_LEVEL=debug"), "true")
	p.ends(0)
	if request := <-got; request != "POST /quit Bearer s3cret" {
		p.Errorf("the sidecar got %q", request)
	}
	p.logHasNot("s3cret")
}

// A sidecar that listens only after the application has exited is still asked.
func TestRecipeLateSidecar(t *testing.T) {
	t.Parallel()
	s := newSidecar(t, "")
	r := readRecipe(t, "A sidecar that starts late", "value: istio", "value: "+s.url())
	ended := filepath.Join(t.TempDir(), "ended")
	p := startGate(t, append(r.settings, "WAIT_FOR=none"), "touch", ended)
	eventually(p, "the application to end", func() bool {
		_, err := os.Stat(ended)
		return err == nil
	})
	s.listen()
	p.ends(0)
	s.checkQuits(1)
}

// tini has nothing to complain of in either mode.
func TestRecipeTini(t *testing.T) {
	need(t, "tini")
	for _, supervise := range []string{"false", "true"} {
		t.Run(supervise, func(t *testing.T) {
			t.Parallel()
			r := readRecipe(t, "tini and startgate", "/startgate", binary, "/app", appScript(t, `echo "app $*"`))
			p := runToEnd(t, command([]string{"WAIT_FOR=none", "SUPERVISE=" + supervise}, r.argv...))
			p.ends(0)
			if p.out.String() != "app --flag\n" {
				p.Errorf("the application did not start")
			}
			p.logHasNot("Tini is not running as PID 1")
		})
	}
}

// The script goes on when the target is ready.
func TestRecipeScript(t *testing.T) {
	t.Parallel()
	s := startReady(t, "")
	r := readRecipe(t, "A script that waits", "/startgate", binary, "/app", appScript(t, `echo "app $*"`))
	p := runToEnd(t, command([]string{"WAIT_FOR=" + s.url()}, r.argv...))
	p.ends(0)
	if p.out.String() != "app --migrate\napp --serve\n" {
		p.Errorf("the application did not run twice")
	}
}
