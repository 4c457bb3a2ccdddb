package configs

import (
	"strings"
	"time"
)

// Brief writes a duration as a person would: 10m and 24h, where Go writes 10m0s and 24h0m0s.
func Brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
