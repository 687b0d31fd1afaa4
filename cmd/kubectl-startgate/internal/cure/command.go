package cure

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Scope is where a command must look: elsewhere it would change what has the same name.
type Scope struct {
	Namespace string
	Context   string // that of the kubeconfig; empty for the current one
}

// Kubectl returns a kubectl command for a shell. The scope comes before the first flag.
func (s Scope) Kubectl(args ...string) string {
	place := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	if place < 0 {
		place = len(args)
	}
	scope := []string{"-n", cmp.Or(s.Namespace, "NAMESPACE")}
	if s.Context != "" {
		scope = append(scope, "--context", s.Context)
	}
	words := slices.Insert(slices.Clone(args), place, scope...)
	for i, word := range words {
		words[i] = Quote(word)
	}
	return "kubectl " + strings.Join(words, " ")
}

// plain are words that mean themselves in a shell.
var plain = regexp.MustCompile(`^[\w./:=@%+,-]+$`)

// Quote writes a word for a shell. Names may come from files of somebody else.
func Quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
