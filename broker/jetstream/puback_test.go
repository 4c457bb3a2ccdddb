package jetstream

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"weir/broker"
)

// The usual answer is taken as it is, whatever the domain; everything else is read.
func TestAnswersToAPublish(t *testing.T) {
	expect := expected("S")
	for answer, usually := range map[string]bool{
		`{"stream":"S","seq":1}`:                                       true,
		`{"stream":"S","domain":"D","seq":12}`:                         true,
		`{"stream":"S","seq":1,"duplicate":true}`:                      true,
		`{"stream":"S","domain":"\"seq\":1","seq":2}`:                  true,
		`{"stream":"SS","seq":1}`:                                      false,
		`{"stream":"S","seq":0}`:                                       false,
		`{"stream":"S","domain":"\"seq\":1","seq":0}`:                  false,
		`{"stream":"S","seq":`:                                         false,
		`{"error":{"code":503,"err_code":10077},"stream":"S","seq":0}`: false,
		``: false,
	} {
		if got := usual([]byte(answer), expect); got != usually {
			t.Errorf("answer %s: usual is %v, want %v", answer, got, usually)
		}
	}
	for _, c := range []struct {
		answer, stream string
		want           error
	}{
		{`{"stream":"S","seq":1}`, "", nil},
		{`{"stream":"OTHER","domain":"D","seq":1}`, "OTHER", nil},
		{`{"error":{"code":503,"err_code":10077},"stream":"S","seq":0}`, "", broker.ErrRefused},
		{`{"error":{"code":400,"err_code":10054},"stream":"S","seq":0}`, "", broker.ErrTooLarge},
		{`{"stream":"S","seq":0}`, "", broker.ErrLost},
		{`+OK`, "", broker.ErrLost},
	} {
		stream, err := readAnswer(&nats.Msg{Data: []byte(c.answer)}, expect)
		if stream != c.stream || !errors.Is(err, c.want) {
			t.Errorf("answer %s: got %q, %v; want %q, %v", c.answer, stream, err, c.stream, c.want)
		}
	}
}
