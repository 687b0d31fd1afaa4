package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/startgate/startgate/exec"
)

// notFoundHint says what a program that cannot be found may have been meant to be. What was
// written behind its name is not shown: it may hold a password.
func notFoundHint(name string) string {
	words := strings.Fields(name)
	for _, verb := range verbs {
		switch name {
		case verb.name:
			return "To run startgate " + name + " in an image whose entrypoint it is: docker run --entrypoint /startgate IMAGE " + name
		case strings.TrimPrefix(verb.name, "--"):
			return "Did you mean startgate " + verb.name + "?"
		}
	}
	switch {
	case len(words) == 0:
		return ""
	case strings.Contains(words[0], "://"):
		return "Targets to wait for are in " + envWaitFor
	case len(words) > 1 && isForShell(name):
		return "To run a command of the shell, write a list of three items: " + inShell +
			". Put exec before its last program, so that it gets the signals"
	case isForShell(name):
		return "It is a word of the shell: write " + inShell
	case len(words) > 1:
		return fmt.Sprintf("To start %s with arguments, write each as an item of its own: [%q, \"ARG\", ...]",
			exec.DisplayName(words[0]), exec.DisplayName(words[0]))
	}
	return ""
}

// inShell is how a shell is started, as a Dockerfile and a manifest have it.
const inShell = `["sh", "-c", "COMMAND"]`

// isForShell reports whether only a shell can run this command: it has an operator of the
// shell, begins with an assignment, or with a command that is part of the shell.
func isForShell(command string) bool {
	first := strings.Fields(command)[0]
	builtin := []string{"cd", "exec", "export", "source", ".", "set", "ulimit", "umask", "eval", "trap", "if", "while", "for"}
	return strings.ContainsAny(command, "&|;<>$`*\"'") || strings.Contains(first, "=") || slices.Contains(builtin, first)
}
