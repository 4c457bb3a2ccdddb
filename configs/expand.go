package configs

import (
	"regexp"
	"strings"
)

// Env looks up an environment variable, as os.LookupEnv does.
type Env func(name string) (value string, ok bool)

// reference is ${env:NAME} or ${env:NAME:-default}.
var reference = regexp.MustCompile(`\$\{env:([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}`)

// shellReference is what shells and Compose files use, and weir does not.
var shellReference = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*(:?-[^}]*)?\}`)

// expand replaces the environment references in a scalar. It works on the parsed value, so that nothing in a variable
// can change the document, and columns stay true. Values are never quoted in messages: they are mostly secrets.
func (t *tree) expand(n *node, at path) {
	if !strings.Contains(n.text, "${") {
		return
	}
	n.text = reference.ReplaceAllStringFunc(n.text, func(ref string) string {
		n.untyped = true
		match := reference.FindStringSubmatch(ref)
		name, fallback := match[1], match[2]
		value, ok := t.env(name)
		switch {
		case fallback != "" && value == "": // as in a shell: the default stands in for an empty variable, too
			return strings.TrimPrefix(fallback, ":-")
		case !ok:
			t.unreadable(n.at, at, "the environment variable %s is not set; set it, or write ${env:%s:-default}", name, name)
		}
		return value
	})
	rest := reference.ReplaceAllString(n.written, "")
	switch {
	case strings.Contains(rest, "${env:"):
		t.unreadable(n.at, at, "not a reference to an environment variable; write ${env:NAME} or ${env:NAME:-default}")
	case shellReference.MatchString(rest):
		t.add(n.at, at, Warning, "${NAME} is taken literally; an environment variable is written ${env:NAME}")
	}
}
