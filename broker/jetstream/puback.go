package jetstream

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// errNoStream is what an answer says of a message that no stream took, as far as the server that answered knows.
var errNoStream = fmt.Errorf("no stream answered: %w", broker.ErrUnroutable)

// expected is what the answer of stream begins with for a message that it has stored, or has stored before (a
// duplicate). It lets the usual answer go unparsed:
//
//	{"stream":"S","seq":1}  {"stream":"S","domain":"D","seq":1}  {"stream":"S","seq":1,"duplicate":true}
func expected(stream string) []byte {
	name, _ := json.Marshal(stream) // of a string it does not fail
	return fmt.Appendf(nil, `{"stream":%s,`, name)
}

// usual reports whether an answer says that it is stored where expected.
func usual(answer, expect []byte) bool {
	rest, ok := bytes.CutPrefix(answer, expect)
	_, sequence, found := bytes.Cut(rest, []byte(`"seq":`))
	return ok && found && len(sequence) > 0 && sequence[0] >= '1' && sequence[0] <= '9'
}

// readAnswer reads the answer to a publish. It returns the name of the stream that has stored the message, where that is
// not the one expected, or the error that says why none has.
func readAnswer(m *nats.Msg, expect []byte) (stream string, err error) {
	if usual(m.Data, expect) {
		return "", nil
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return "", errNoStream
	}
	var answer struct {
		Stream string              `json:"stream"`
		Seq    uint64              `json:"seq"`
		Error  *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return "", lost(fmt.Errorf("answer to a publish: %w", err))
	}
	switch {
	case answer.Error != nil && (answer.Error.ErrorCode == codeMessageTooLarge || answer.Error.ErrorCode == codeHeadersTooLarge):
		return "", fmt.Errorf("%w: %w", broker.ErrTooLarge, answer.Error)
	case answer.Error != nil:
		return "", fmt.Errorf("%w: %w", broker.ErrRefused, answer.Error)
	case answer.Stream == "" || answer.Seq == 0:
		return "", lost(fmt.Errorf("answer to a publish names no stream: %.100q", m.Data))
	}
	return answer.Stream, nil
}
