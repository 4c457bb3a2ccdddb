package federation

import (
	"slices"
	"strings"

	"weir/broker"
)

// matches tells whether an exchange of that type routes a message by one of the bindings. It is asked where a broker's
// own filters can only cover the bindings of a buffer. What a type does that weir does not know is left to the downstream.
func matches(kind string, bindings []broker.Binding, m *broker.Message) bool {
	return slices.ContainsFunc(bindings, func(b broker.Binding) bool {
		switch kind {
		case "direct":
			return b.Key == m.RoutingKey
		case "topic":
			return topicMatches(b.Key, m.RoutingKey)
		case "headers":
			return headersMatch(b.Arguments, m.Headers)
		}
		return true
	})
}

// topicMatches is the rule of AMQP 0-9-1's topic exchange: words between dots, * for one of them, # for any number.
func topicMatches(pattern, key string) bool {
	words := strings.Split(key, ".")
	if key == "" {
		words = nil
	}
	// reach[i]: the pattern so far can match the first i words.
	reach := make([]bool, len(words)+1)
	reach[0] = true
	for part := range strings.SplitSeq(pattern, ".") {
		if pattern == "" {
			break
		}
		if part == "#" {
			from := slices.Index(reach, true)
			for i := max(from, 0); from >= 0 && i < len(reach); i++ {
				reach[i] = true
			}
			continue
		}
		for i := len(words); i > 0; i-- {
			reach[i] = reach[i-1] && (part == "*" || part == words[i-1])
		}
		reach[0] = false
	}
	return reach[len(words)]
}

// headersMatch is the rule of RabbitMQ's headers exchange (rabbit_exchange_type_headers): x-match is all (also where it is
// missing), any, all-with-x or any-with-x; without "-with-x" arguments that begin with x- do not count. An argument
// without a value asks only that the header is there.
func headersMatch(arguments, headers broker.Table) bool {
	mode, _ := arguments["x-match"].(string)
	kind, withX := strings.CutSuffix(mode, "-with-x")
	for key, want := range arguments {
		if key == "x-match" || key == boundFrom || strings.HasPrefix(key, "x-") && !withX {
			continue
		}
		has, present := headers[key]
		met := present && (want == nil || sameValue(want, has))
		if met && kind == "any" {
			return true
		}
		if !met && kind != "any" {
			return false
		}
	}
	return kind != "any"
}

func sameValue(a, b any) bool {
	var left, right strings.Builder
	write(&left, a)
	write(&right, b)
	return left.String() == right.String()
}
