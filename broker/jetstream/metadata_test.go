package jetstream

import (
	"testing"
	"time"
)

func TestAckSubjectsAreRead(t *testing.T) {
	want := metadata{delivered: 2, stream: 11, consumer: 7, stored: time.Unix(0, 1_700_000_000_000_000_001)}
	for _, reply := range []string{
		"$JS.ACK.S.C.2.11.7.1700000000000000001.5",
		"$JS.ACK._.ACCOUNT.S.C.2.11.7.1700000000000000001.5",
		"$JS.ACK.hub.ACCOUNT.S.C.2.11.7.1700000000000000001.5.random",
	} {
		if got, ok := parseReply(reply); !ok || got != want {
			t.Errorf("%s: got %+v (%v), want %+v", reply, got, ok, want)
		}
	}
	for _, reply := range []string{"", "_INBOX.a.b", "$JS.ACK.S.C", "$JS.ACK.S.C.x.11.7.1.5", "$JS.ACK.S.C.2.11.7"} {
		if got, ok := parseReply(reply); ok {
			t.Errorf("%s: got %+v, want it refused", reply, got)
		}
	}
}
