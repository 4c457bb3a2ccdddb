package configs

import (
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// suggest ends a message about a word that is not known: with the known word it was probably meant to be, or with all
// that are known.
func suggest(word string, known []string) string {
	if best, ok := Nearest(word, known); ok {
		return `; did you mean "` + best + `"?`
	}
	if len(known) == 0 {
		return "; there are none"
	}
	return "; choose from " + strings.Join(known, ", ")
}

// Nearest finds the known word that is one slip away. Two letters that changed places, the commonest slip, cost two
// edits, so that "su" would be nearer to "eu" than to "us": equal letters in another order therefore come first.
func Nearest(word string, known []string) (string, bool) {
	word = strings.ToLower(word)
	best, bestDistance := "", 1+max(1, len(word)/3)
	for _, k := range known {
		lower := strings.ToLower(k)
		if slices.Equal(letters(lower), letters(word)) {
			return k, true
		}
		if d := levenshtein.Distance(word, lower, nil); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best, best != ""
}

// letters are the letters of a word in alphabetical order.
func letters(word string) []rune {
	return slices.Sorted(slices.Values([]rune(word)))
}
