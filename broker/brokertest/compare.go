package brokertest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weir/broker"
)

// Diff returns how what a message carries (properties, headers, body) differs, empty if it is equal in value and in
// type: an int32 is not an int64. Times are equal at seconds, which is what AMQP has; nil and empty are the same for a
// body and for the whole of the headers.
func Diff(want, got *broker.Message) string {
	type carried struct {
		Properties broker.Properties
		Headers    broker.Table
	}
	d := diff(carried{want.Properties, want.Headers}, carried{got.Properties, got.Headers})
	return d + diffBody(want.Body, got.Body)
}

func diff(want, got any) string {
	return cmp.Diff(want, got,
		cmpopts.EquateEmpty(),
		cmpopts.EquateNaNs(),
		cmp.Comparer(func(a, b time.Time) bool { return a.Unix() == b.Unix() }))
}

func diffBody(want, got []byte) string {
	if bytes.Equal(want, got) {
		return ""
	}
	at := 0
	for at < len(want) && at < len(got) && want[at] == got[at] {
		at++
	}
	return fmt.Sprintf("body: differs at byte %d: want %d bytes %q, got %d bytes %q",
		at, len(want), brief(want[at:]), len(got), brief(got[at:]))
}

// brief is as much of a body as a failure shows.
func brief(body []byte) string {
	const most = 64
	if len(body) > most {
		return string(body[:most]) + "..."
	}
	return string(body)
}
