package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/startgate/startgate/exec"
	"github.com/startgate/startgate/wait"
	"github.com/startgate/startgate/wait/nearest"
)

// verbs are the flags of startgate. One may stand first on the command line.
var verbs = []struct{ name, operand, help string }{
	{"--wait", "", "wait, then exit with 0: for scripts and init containers"},
	{"--check", "[--now]", "print the settings, the targets and the mode, and wait for nothing; --now: ask each target once"},
	{"--release", "", "start the application of this container now, instead of waiting any longer"},
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

// nowhere says where a container's program stands.
const nowhere = ": the image has no CMD, and the manifest no args"

// usageError is a mistake on the command line.
type usageError struct{ error }

// parseArgs reads the command line. With an error it returns the verb, if there was one.
func parseArgs(args []string) (command, error) {
	if len(args) == 0 {
		return command{}, usageErrorf("no program to start" + nowhere)
	}
	first, rest := args[0], args[1:]
	if first == "--" {
		if len(rest) == 0 {
			return command{}, usageErrorf("no program to start after --" + nowhere)
		}
		return command{program: rest}, nil
	}
	if alias := flagAliases[first]; alias != "" && (strings.HasPrefix(first, "-") || len(rest) == 0) {
		first = alias
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
	return command{}, unknownFlag(first, names)
}

func unknownFlag(flag string, names []string) error {
	flag, _, _ = strings.Cut(flag, "=") // a value may be a password
	if hint := settingHint(flag); hint != "" {
		return usageErrorf("unknown flag %s: %s", flag, hint)
	}
	switch near := nearest.To(flag, names); {
	case flag == "--now":
		return usageErrorf("unknown flag --now: did you mean --check --now?")
	case slices.Contains(names, flag):
		return usageErrorf("%s takes no value: settings are environment variables, such as %s", flag, envWaitFor)
	case near != "":
		return usageErrorf("unknown flag %s: did you mean %s?", flag, near)
	}
	flag = exec.DisplayName(flag)
	return usageErrorf("unknown flag %s: write startgate -- %s to start a program of that name", flag, flag)
}

// settingHint says which setting a flag such as --timeout=5m may have been meant to be.
func settingHint(flag string) string {
	flag, _, _ = strings.Cut(flag, "=")
	name := prefix + "_" + strings.ToUpper(strings.ReplaceAll(strings.TrimLeft(flag, "-"), "-", "_"))
	if !slices.ContainsFunc(describeSettings(), func(s setting) bool { return s.Name == name }) {
		return ""
	}
	return "settings are environment variables: set " + name
}

func withOperand(verb, operand string, rest []string) (command, error) {
	optional := strings.Trim(operand, "[]")
	switch {
	case operand == "" && len(rest) > 0:
		return command{verb: verb}, noOperand(verb, rest[0])
	case operand == optional && operand != "" && len(rest) != 1:
		return command{verb: verb}, usageErrorf("%s takes one argument: write startgate %s %s", verb, verb, operand)
	case operand != optional && len(rest) > 0 && (len(rest) > 1 || rest[0] != optional):
		return command{verb: verb}, usageErrorf("%s takes nothing but %s: write startgate %s %s", verb, optional, verb, optional)
	case len(rest) == 1:
		return command{verb: verb, operand: rest[0]}, nil
	}
	return command{verb: verb}, nil
}

// noOperand says what to write instead of a flag with a word that it does not take. It does
// not show a target, which may have a password.
func noOperand(verb, word string) error {
	_, notTarget := wait.Parse(word)
	switch hint := settingHint(word); {
	case verb == "--wait" && word == "--":
		return usageErrorf("--wait starts no program: write startgate -- PROGRAM, which waits too")
	case hint != "" && strings.HasPrefix(word, "-"):
		return usageErrorf("%s takes no argument: %s", verb, hint)
	case notTarget == nil, strings.ContainsAny(word, ":@"):
		return usageErrorf("%s takes no target: write %s=TARGET startgate %s", verb, envWaitFor, verb)
	}
	return usageErrorf("%s takes no program: remove %q", verb, exec.DisplayName(word))
}

func usageErrorf(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// flagAliases are what stands for a flag elsewhere. Words are flags only when they stand
// alone; with -- they are programs.
var flagAliases = map[string]string{
	"-h": "--help", "-help": "--help", "help": "--help", "-?": "--help",
	"-v": "--version", "-V": "--version", "-version": "--version", "version": "--version",
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
	fmt.Fprint(table, "\nMore: "+homepage+"\n")
	return table.Flush()
}

// homepage is where the documentation is.
const homepage = "https://github.com/startgate/startgate"

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
