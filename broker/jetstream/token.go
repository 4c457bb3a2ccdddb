package jetstream

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token makes one token of a subject out of any string: %XX stands for what NATS gives a meaning, for blanks, for what
// does not print and for what is not UTF-8. The empty string is "%".
func token(s string) string {
	if s == "" {
		return "%"
	}
	if plain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if escaped(r, size, i) {
			for _, c := range []byte(s[i : i+size]) {
				b.WriteByte('%')
				b.WriteByte(upperHex[c>>4])
				b.WriteByte(upperHex[c&15])
			}
		} else {
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// untoken is the reverse of token. ok is false for what token does not make.
func untoken(t string) (s string, ok bool) {
	if t == "%" {
		return "", true
	}
	if t == "" {
		return "", false
	}
	if !strings.Contains(t, "%") {
		return t, plain(t)
	}
	b := make([]byte, 0, len(t))
	for i := 0; i < len(t); i++ {
		if t[i] != '%' {
			b = append(b, t[i])
			continue
		}
		if i+2 >= len(t) {
			return "", false
		}
		high, low := strings.IndexByte(upperHex, t[i+1]), strings.IndexByte(upperHex, t[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		b = append(b, byte(high<<4|low))
		i += 2
	}
	s = string(b)
	return s, token(s) == t
}

// words makes tokens of a routing key's words; its dots stay.
func words(key string) string {
	same := true
	for w := range strings.SplitSeq(key, ".") {
		if w == "" || !plain(w) {
			same = false
			break
		}
	}
	if same {
		return key
	}
	parts := strings.Split(key, ".")
	for i, p := range parts {
		parts[i] = token(p)
	}
	return strings.Join(parts, ".")
}

// unwords is the reverse of words.
func unwords(tokens string) (key string, ok bool) {
	parts := strings.Split(tokens, ".")
	for i, p := range parts {
		if parts[i], ok = untoken(p); !ok {
			return "", false
		}
	}
	return strings.Join(parts, "."), true
}

const upperHex = "0123456789ABCDEF"

// plain reports whether token leaves s as it is.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf {
			return plainUnicode(s)
		} else if escaped(rune(c), 1, i) {
			return false
		}
	}
	return true
}

func plainUnicode(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if escaped(r, size, i) {
			return false
		}
		i += size
	}
	return true
}

// escaped reports whether token escapes the rune of this size at this place.
func escaped(r rune, size, at int) bool {
	switch r {
	case '.', '*', '>', '%', '/', '\\':
		return true
	case '$':
		return at == 0 // subjects that begin with it belong to NATS
	case utf8.RuneError:
		return size == 1
	}
	return r <= ' ' || r == 0x7f || r >= utf8.RuneSelf && !unicode.IsGraphic(r) || unicode.IsSpace(r)
}
