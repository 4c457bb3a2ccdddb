package federation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ownPrefix begins the name of every object that weir makes for itself on a broker.
const ownPrefix = "weir: "

// Limits of names: RabbitMQ's are short strings (AMQP 0-9-1, 255 bytes). Room is kept for the number of a generation.
const (
	longestName = 255 - len(" (999)")
	longestPart = 80
)

// bufferName is the name of a pair's buffer, the same for every gateway of the site and after every restart. The names
// of nodes and clusters are no part of it: they may change.
func bufferName(p pair) string {
	name := fmt.Sprintf("%s%s -> %s%s", ownPrefix, p.upstreamExchange(), p.target(), p.exchange.Name)
	if len(name) <= longestName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s%s -> %s%s ~%s", ownPrefix, cut(p.upstreamExchange()), p.target(), cut(p.exchange.Name), hex.EncodeToString(sum[:6]))
}

// target is who a buffer's messages are for: the site, the downstream where it is not the local broker, and its vhost.
func (p pair) target() string { return target(p.site, p.to, p.local) }

func target(site string, to end, local bool) string {
	if !local {
		site += ":" + to.name
	}
	return site + "/" + to.vhost + "/"
}

// generation is the name of a buffer's n-th generation: one that had to be declared with other arguments.
func generation(name string, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s (%d)", name, n)
}

// splitGeneration tells which generation of what a buffer's name means.
func splitGeneration(name string) (base string, n int) {
	i := strings.LastIndex(name, " (")
	digits, closed := strings.CutSuffix(name, ")")
	if i < 0 || !closed {
		return name, 1
	}
	n, err := strconv.Atoi(digits[i+len(" ("):])
	if err != nil || n < 2 || name != generation(name[:i], n) {
		return name, 1
	}
	return name[:i], n
}

func baseOf(name string) string {
	base, _ := splitGeneration(name)
	return base
}

// isFor tells whether a buffer is for a target.
func isFor(buffer, target string) bool {
	return strings.HasPrefix(buffer, ownPrefix) && strings.Contains(buffer, " -> "+target)
}

// cut shortens a text to what a part of a name may have, between two characters.
func cut(s string) string {
	if len(s) <= longestPart {
		return s
	}
	n := longestPart
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
