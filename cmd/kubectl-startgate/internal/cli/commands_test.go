package cli

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
)

// kubectlFlags are those of kubectl's own commands that may be advised.
var kubectlFlags = map[string][]string{
	"describe": {"-n"},
	"exec":     {"-n", "-c", "--"},
	"logs":     {"-n", "-c", "--previous", "--timestamps"},
	"patch":    {"-n", "--type", "-p"},
}

// inProse is a command within a sentence.
var inProse = regexp.MustCompile(`kubectl (?:[^\s.,;()]|[.,;()]\S)+(?: (?:[^\s.,;()]|[.,;()]\S)+)*`)

// TestCommands: each command that is printed names its namespace, and can be run.
func TestCommands(t *testing.T) {
	seen := map[string]bool{}
	for _, path := range fixtures(t) {
		out, _, _ := run(t, "diagnose", "--from", unpack(t, readFixture(t, path)))
		for line := range strings.Lines(out) {
			commands := inProse.FindAllString(line, -1)
			if whole := strings.TrimSpace(line); strings.HasPrefix(whole, "kubectl ") {
				commands = []string{whole}
			}
			for _, command := range commands {
				args := words(t, command)
				seen[args[1]] = true
				if fault := faultOf(args[1:]); fault != "" && !strings.HasSuffix(path, "store-prefix.txtar") { // nothing there tells of its namespace
					t.Errorf("%s: %s in %q", path, fault, command)
				}
			}
		}
	}
	for verb := range kubectlFlags {
		if !seen[verb] {
			t.Errorf("no fixture has kubectl %s", verb)
		}
	}
}

// words splits a command as a shell does.
func words(t *testing.T, command string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", "printf '%s\\0' "+command).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func faultOf(args []string) string {
	if args[0] == "startgate" {
		root := newRoot(genericiooptions.NewTestIOStreamsDiscard())
		command, rest, err := root.Find(args[1:])
		if err != nil {
			return err.Error()
		}
		if err := command.ParseFlags(rest); err != nil {
			return err.Error()
		}
		if from := command.Flags().Lookup("from"); from != nil && from.Changed {
			return faultOfNamespace(strings.HasPrefix(command.Flags().Arg(0), "shop/"))
		}
		return faultOfNamespace(command.Flags().Lookup("namespace").Value.String() == "shop")
	}
	for _, arg := range args[1:] {
		if strings.HasPrefix(arg, "-") && !slices.Contains(kubectlFlags[args[0]], arg) {
			return "no flag " + arg
		}
		if arg == "--" {
			break
		}
	}
	n := slices.Index(args, "-n")
	return faultOfNamespace(n > 0 && args[n+1] == "shop" && (!slices.Contains(args, "--") || n < slices.Index(args, "--")))
}

func faultOfNamespace(ok bool) string {
	if ok {
		return ""
	}
	return "no namespace"
}

// TestQuoted: a name of somebody else's file is a word, and no command of its own.
func TestQuoted(t *testing.T) {
	args := []string{"logs", "x; echo it's", "-c", "$(id)"}
	want := []string{"kubectl", "logs", args[1], "-n", "a b", "-c", "$(id)"}
	if got := words(t, cure.Scope{Namespace: "a b"}.Kubectl(args...)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCommandsContext: who has named a context gets commands for it.
func TestCommandsContext(t *testing.T) {
	server := newAPIServer(t, "language-go", deployment)
	config := filepath.Join(t.TempDir(), "config")
	write(t, config, "clusters: [{name: c, cluster: {server: '"+server.URL+"'}}]\ncontexts: [{name: blue, context: {cluster: c}}]\n")
	out, errOut, _ := run(t, "diagnose", "deploy/web", "-n", "shop", "--kubeconfig", config, "--context", "blue")
	commands := 0
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "     kubectl ") {
			commands++
			if !strings.Contains(line, " -n shop --context blue ") {
				t.Error(line)
			}
		}
	}
	if commands != 3 {
		t.Errorf("%d commands\n%s%s", commands, out, errOut)
	}
}
