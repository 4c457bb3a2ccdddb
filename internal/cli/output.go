package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// output is the flag --output (-o). Its first word is the default.
type output struct {
	words []string
	word  string
}

func outputFlag(cmd *cobra.Command, words ...string) *output {
	o := &output{words: words}
	cmd.Flags().StringVarP(&o.word, "output", "o", words[0], strings.Join(words, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return o
}

func (o *output) is(word string) bool { return o.word == word }

func (o *output) check() error {
	if !slices.Contains(o.words, o.word) {
		return exit{exitUsage, fmt.Errorf("--output is %s, not %q", strings.Join(o.words, ", "), o.word)}
	}
	return nil
}

// wantsJSON tells whether the reader of a command's answer is a program.
func wantsJSON(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("output")
	return f != nil && f.Value.String() == "json"
}

// printJSON writes an answer for programs.
func (a *app) printJSON(v any) error {
	a.answered = true
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// count says how many of something there are.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printable takes control characters, and those that turn the direction of writing, out of what brokers and files have
// said, so that it cannot steer a terminal. Line breaks become "; ".
func printable(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
}
