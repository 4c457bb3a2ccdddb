package jetstream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// The server tells how many pull requests wait at a consumer, and not whose they are. Those of gateways are no sign that
// anybody wants messages. So each Source says on a subject of its own how many of them are its.
const pullsSubject = "weir.pulls." // and stream, and consumer

// pullsWait is the least time that gateways have to answer.
const pullsWait = 50 * time.Millisecond

// answerPulls has s answer to other gateways. A user who may not subscribe to that goes without.
func (s *Source) answerPulls() {
	s.pulls, _ = s.conn.nats.Subscribe(pullsSubject+s.at.stream+"."+s.at.consumer, func(m *nats.Msg) {
		s.mu.Lock()
		n := len(s.requests.open)
		s.mu.Unlock()
		_ = m.Respond(fmt.Appendf(nil, "%s %d", s.b.instance, n)) // or the connection is lost, and tells
	})
}

// pullsOfOthers counts the requests of other gateways at a consumer. It waits for a few round trips if there may be any.
func (b *Broker) pullsOfOthers(ctx context.Context, stream, consumer string, roundTrip time.Duration) (n int, err error) {
	c, err := b.manage(ctx)
	if err != nil {
		return 0, err
	}
	inbox := nats.NewInbox()
	answers, err := c.nats.SubscribeSync(inbox)
	if err != nil {
		return 0, lost(err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := c.nats.PublishRequest(pullsSubject+stream+"."+consumer, inbox, nil); err != nil {
		return 0, lost(err)
	}
	ctx, cancel := context.WithTimeout(ctx, max(pullsWait, 3*roundTrip))
	defer cancel()
	for {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil || m.Header.Get("Status") != "" { // nobody more, or nobody at all
			return n, nil
		}
		instance, open, _ := strings.Cut(string(m.Data), " ")
		if theirs, err := strconv.Atoi(open); err == nil && instance != string(b.instance) {
			n += theirs
		}
	}
}
