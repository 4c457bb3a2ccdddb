package jetstream

import "strings"

// matches reports whether a NATS filter matches a subject: "*" stands for one token, ">" at the end for one or more.
func matches(filter, subject string) bool {
	for {
		f, restF, moreF := strings.Cut(filter, ".")
		s, restS, moreS := strings.Cut(subject, ".")
		switch {
		case f == ">" && !moreF:
			return true
		case f != "*" && f != s, moreF != moreS:
			return false
		case !moreF:
			return true
		}
		filter, subject = restF, restS
	}
}
