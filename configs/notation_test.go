package configs

import (
	"testing"
	"time"
)

func TestNotations(t *testing.T) {
	read := func(v textual, text string) string {
		if err := v.setText(text); err != nil {
			return err.Error()
		}
		return v.String()
	}
	badSize, badRate := "want a size such as 64MiB or 10GiB", "want a rate such as 2000/s or 100/m"
	for _, c := range []struct {
		v          textual
		text, want string
	}{
		{new(Size), "64MiB", "64MiB"}, {new(Size), "1048576", "1MiB"}, {new(Size), "10GB", "9765625KiB"},
		{new(Size), "1500B", "1500"}, {new(Size), "0", badSize}, {new(Size), "-1KiB", badSize},
		{new(Size), "9000000000GiB", badSize}, {new(Size), "1.5GiB", badSize}, {new(Size), "GiB", badSize},
		{new(Rate), "2000/s", "2000/s"}, {new(Rate), "120/m", "2/s"}, {new(Rate), "7/m", "7/m"},
		{new(Rate), "50/h", "50/h"}, {new(Rate), "-1/s", badRate}, {new(Rate), "/s", badRate},
		{new(DeleteAfter), "never", "never"}, {new(DeleteAfter), "queue-length", "queue-length"},
		{new(DeleteAfter), "17", "17"},
	} {
		if got := read(c.v, c.text); got != c.want {
			t.Errorf("%q reads as %q, want %q", c.text, got, c.want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Minute: "10m", 24 * time.Hour: "24h", 90 * time.Second: "1m30s", 500 * time.Millisecond: "500ms",
		time.Hour + 20*time.Minute: "1h20m", time.Hour + time.Second: "1h0m1s",
	} {
		if got := Brief(d); got != want {
			t.Errorf("%v shows as %q, want %q", d, got, want)
		}
	}
}

func TestPaths(t *testing.T) {
	west := path("brokers").key("eu.west")
	for p, want := range map[path]path{
		west:                                  `brokers."eu.west"`,
		west.parent():                         "brokers",
		west.key("uris").index(2):             `brokers."eu.west".uris[2]`,
		west.key("uris").index(2).parent():    `brokers."eu.west".uris`,
		path("shovels").key(`a."b`).parent():  "shovels",
		path("shovels").key(`a[0]`).parent():  "shovels",
		path("").key("a.b").parent():          "",
		path("local").parent():                "",
		path("shovels").key("").key("source"): `shovels."".source`,
	} {
		if p != want {
			t.Errorf("got %s, want %s", p, want)
		}
	}
}
