package cli_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/internal/brokers"
)

// lab is the brokers of one run, by name. The file brokers, if it is there, says what they are like, a line each:
//
//	eu queue orders 100      with so many messages
//	eu queue work dead-letter=dead
//	eu message orders order-7   one, with that message-id
//	eu leftover 3 weir: old -> eu///old   a queue whose name has blanks
//	eu exchange catalog
//	eu bind orders catalog
//	eu latency 10ms
//	eu down
//	eu deny orders
//	eu refuse                every message
//	eu broken                it cannot be opened at all
type lab struct {
	mu      sync.Mutex // brokers are opened side by side
	brokers map[string]*memory.Broker
}

func newLab() *lab {
	l := &lab{brokers: map[string]*memory.Broker{}}
	description, err := os.ReadFile("brokers")
	if err != nil {
		return l
	}
	for line := range strings.Lines(string(description)) {
		if words := strings.Fields(line); len(words) > 1 {
			l.describe(words[0], words[1], append(words[2:], "", ""))
		}
	}
	return l
}

func (l *lab) broker(name string) *memory.Broker {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.brokers[name]; !known {
		l.brokers[name] = memory.New(name)
	}
	return l.brokers[name]
}

func (l *lab) describe(name, what string, args []string) {
	b := l.broker(name)
	switch what {
	case "queue":
		if dead, ok := strings.CutPrefix(args[1], "dead-letter="); ok {
			b.Declare(args[0], memory.Queue{DeadLetter: dead})
			return
		}
		b.Declare(args[0], memory.Queue{})
		for i := range number(args[1]) {
			b.Put(args[0], fmt.Sprintf("%s %d", args[0], i))
		}
	case "message":
		err := b.Publish(&broker.Message{RoutingKey: args[0], Properties: broker.Properties{MessageID: args[1]}, Body: []byte(args[1])})
		if err != nil {
			panic(err)
		}
	case "leftover":
		queue := strings.TrimSpace(strings.Join(args[1:], " "))
		b.Declare(queue, memory.Queue{})
		for i := range number(args[0]) {
			b.Put(queue, fmt.Sprint(i))
		}
	case "exchange":
		b.DeclareExchange(args[0], memory.Fanout)
	case "bind":
		b.Bind(args[0], args[1], "")
	case "latency":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			panic(err)
		}
		b.Latency(d)
	case "down":
		b.Down(errors.New("dial tcp: connection refused"))
	case "deny":
		b.Deny(args[0])
	case "refuse":
		b.Refuse(func(*broker.Message) error { return broker.ErrRefused })
	case "broken":
		l.brokers[name] = nil
	default:
		panic("no such word in the file brokers: " + what)
	}
}

func number(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// open is a brokers.Open.
func (l *lab) open(_ context.Context, d brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
	b := l.broker(d.Name)
	if b == nil {
		return nil, nil, errors.New("address already in use")
	}
	return b, func() {}, nil
}

// holds lists how many messages are ready in each queue, and how many there are in all, each counted once.
func (l *lab) holds() string {
	var lines []string
	seen, n := map[string]bool{}, 0
	for name, b := range l.brokers {
		for _, queue := range b.QueueNames() {
			bodies := b.Bodies(queue)
			lines = append(lines, fmt.Sprintf("%s %s %d\n", name, queue, len(bodies)))
			for _, body := range bodies {
				seen[body] = true
			}
			n += len(bodies)
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s%d messages, %d of them twice\n", strings.Join(lines, ""), len(seen), n-len(seen))
}
