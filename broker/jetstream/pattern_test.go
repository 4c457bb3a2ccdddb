package jetstream

import "testing"

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter, subject string
		want            bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a", false}, {"a", "a.b", false}, {"a.b", "a.c", false},
		{"a.*", "a.b", true}, {"a.*", "a", false}, {"a.*", "a.b.c", false}, {"*.b", "a.b", true},
		{"a.>", "a.b", true}, {"a.>", "a.b.c", true}, {"a.>", "a", false}, {">", "a", true}, {"*.>", "a", false},
		{"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false}, {"a*", "ab", false}, {"a*", "a*", true},
	} {
		if got := matches(c.filter, c.subject); got != c.want {
			t.Errorf("%s, %s: got %v", c.filter, c.subject, got)
		}
	}
}
