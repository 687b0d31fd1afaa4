// Package nearest finds the known word that a mistyped word is closest to. It is public only
// because cmd/startgate uses it too; its API may change at any time.
package nearest

// To returns the entry of known that is closest to word, counting insertions, deletions,
// substitutions and swaps of neighbouring bytes. Of several it returns the first. It returns
// an empty string when more than a third of word would have to change.
func To(word string, known []string) string {
	best, fewest := "", len(word)/3+1
	for _, candidate := range known {
		if d := distance(word, candidate); d < fewest {
			best, fewest = candidate, d
		}
	}
	return best
}

// distance returns the optimal string alignment distance of two words, in bytes.
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
