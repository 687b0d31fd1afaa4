package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/startgate/startgate/wait/nearest"
)

// verbs are the flags of startgate. One may stand first on the command line.
var verbs = []struct{ name, operand, help string }{
	{"--wait", "", "wait, then exit with 0: for scripts and init containers"},
	{"--check", "", "print the settings, the targets and the mode, and wait for nothing"},
	{"--install", "PATH", "copy this binary to PATH, as an init container does into a shared volume"},
	{"--help", "", "print this"},
	{"--version", "", "print the version"},
}

// command is what the command line asks for: a verb, or a program to start.
type command struct {
	verb    string
	operand string
	program []string
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func parseArgs(args []string) (command, error) {
	if len(args) == 0 {
		return command{}, usageErrorf("no program to start")
	}
	first, rest := args[0], args[1:]
	if first == "--" {
		if len(rest) == 0 {
			return command{}, usageErrorf("no program to start after --")
		}
		return command{program: rest}, nil
	}
	if !strings.HasPrefix(first, "-") {
		return command{program: args}, nil
	}
	var names []string
	for _, verb := range verbs {
		if first == verb.name {
			return withOperand(first, verb.operand, rest)
		}
		names = append(names, verb.name)
	}
	if near := cmp.Or(flagAliases[first], nearest.To(first, names)); near != "" {
		return command{}, usageErrorf("unknown flag %s: did you mean %s?", first, near)
	}
	return command{}, usageErrorf("unknown flag %s: write startgate -- %s to start a program of that name", first, first)
}

func withOperand(verb, operand string, rest []string) (command, error) {
	switch {
	case operand == "" && len(rest) > 0:
		return command{}, usageErrorf("%s takes no program: remove %q", verb, rest[0])
	case operand != "" && len(rest) != 1:
		return command{}, usageErrorf("%s takes one argument: write startgate %s %s", verb, verb, operand)
	case operand != "":
		return command{verb: verb, operand: rest[0]}, nil
	}
	return command{verb: verb}, nil
}

func usageErrorf(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// flagAliases are letters that stand for a flag elsewhere.
var flagAliases = map[string]string{"-h": "--help", "-v": "--version", "-V": "--version", "-w": "--wait"}

// notFoundHint says what a program that cannot be found may have been meant to be.
func notFoundHint(name string) string {
	for _, verb := range verbs {
		if name == verb.name {
			return "To run startgate " + name + " in an image whose entrypoint it is: docker run --entrypoint /startgate IMAGE " + name
		}
	}
	if words := strings.Fields(name); len(words) > 1 {
		return fmt.Sprintf("To start %s with arguments, write each as an item of its own: %q", words[0], words)
	}
	return ""
}

// synopsis returns the usage in short.
func synopsis() string {
	lines := []string{"usage: startgate [--] PROGRAM [ARG...]"}
	for _, verb := range verbs {
		lines = append(lines, strings.TrimRight("       startgate "+verb.name+" "+verb.operand, " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

func printHelp(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "startgate waits until the pod's sidecar is ready, then becomes PROGRAM.\n\n", synopsis(), "\n")
	for _, verb := range verbs {
		fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace(verb.name+" "+verb.operand), verb.help)
	}
	fmt.Fprint(table, "\nSettings are environment variables. An empty one counts as unset, except "+envSidecarStatus+":\n\n")
	for _, s := range describeSettings() {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", s.Name, s.Default, s.Meaning)
	}
	fmt.Fprint(table, "\nExit codes:\n\n")
	for _, c := range codes {
		fmt.Fprintf(table, "  %s\t%s\n", c.Code, c.Meaning)
	}
	return table.Flush()
}

func printVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "startgate %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version returns the module's version, or (devel).
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
