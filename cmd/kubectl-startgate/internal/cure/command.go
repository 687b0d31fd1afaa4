package cure

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Kubectl returns a kubectl command for a shell. The namespace comes before the first flag.
func Kubectl(namespace string, args ...string) string {
	place := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	if place < 0 {
		place = len(args)
	}
	words := slices.Insert(slices.Clone(args), place, "-n", cmp.Or(namespace, "NAMESPACE"))
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
