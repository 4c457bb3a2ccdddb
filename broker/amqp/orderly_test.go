package amqp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// entry is an encoded name and value of a table.
func entry(name string, kind byte, value ...byte) []byte {
	return slices.Concat([]byte{byte(len(name))}, []byte(name), []byte{kind}, value)
}

// sized is a table, an array or a long string of what it is given.
func sized(parts ...[]byte) []byte {
	all := slices.Concat(parts...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(all))), all...)
}

// shuffled encodes the same arguments in another order each time.
func shuffled() []byte {
	table := func(entries ...[]byte) []byte {
		rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		return sized(entries...)
	}
	long := strings.Repeat("n", 255)
	hop := func(cluster string) []byte {
		return append([]byte{'F'}, table(
			entry("cluster-name", 'S', sized([]byte(cluster))...), entry("vhost", 'S', sized([]byte("/"))...),
			entry("hops", 's', 0, 1), entry("exchange", 'S', sized([]byte("x"))...),
		)...)
	}
	return table(
		entry("x-bound-from", 'A', sized(hop("eu"), hop("us"))...), // the order of an array means something, and stays
		entry("void", 'V'), entry("yes", 't', 1), entry("octet", 'b', 1), entry("octets", 'x', sized([]byte{1, 2})...),
		entry("int", 'I', 0, 0, 0, 1), entry("long", 'l', 0, 0, 0, 0, 0, 0, 0, 1), entry("double", 'd', 0, 0, 0, 0, 0, 0, 0, 1),
		entry("decimal", 'D', 2, 0, 0, 0, 1), entry("time", 'T', 0, 0, 0, 0, 0, 0, 0, 1), entry(long, 'B', 7),
		entry("deep", 'F', table(entry("b", 'F', table(entry("d", 'V'), entry("c", 'V'))...), entry("a", 'V'))...),
	)
}

// method is a frame on channel 1.
func method(class, number uint16, arguments ...byte) []byte {
	payload := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, class), number)
	payload = append(payload, arguments...)
	frame := binary.BigEndian.AppendUint32([]byte{frameMethod, 0, 1}, uint32(len(payload)))
	return append(append(frame, payload...), 0xCE)
}

// Ensure the same arguments always make the same frame, and nothing else changes.
func TestArgumentsAreOrdered(t *testing.T) {
	names := []byte("\x00\x00" + "\x05queue" + "\x08exchange" + "\x00")
	for name, encode := range map[string]func(table []byte) []byte{
		"queue.bind":      func(table []byte) []byte { return method(50, 20, slices.Concat(names, []byte{0}, table)...) },
		"queue.unbind":    func(table []byte) []byte { return method(50, 50, slices.Concat(names, table)...) },
		"exchange.bind":   func(table []byte) []byte { return method(40, 30, slices.Concat(names, []byte{1}, table)...) },
		"exchange.unbind": func(table []byte) []byte { return method(40, 40, slices.Concat(names, []byte{1}, table)...) },
	} {
		t.Run(name, func(t *testing.T) {
			var want []byte
			for range 20 {
				given := encode(shuffled())
				got := slices.Clone(given)
				sortBinding(got)
				if want == nil {
					want = got
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("got\n%q\nwant\n%q", got, want)
				}
				slices.Sort(given)
				if slices.Sort(got); !bytes.Equal(got, given) {
					t.Fatal("it does not hold what it held")
				}
				want = encode(shuffled())
				sortBinding(want)
			}
		})
	}
	for name, frame := range map[string][]byte{
		"another method": method(60, 20, shuffled()...), "no arguments": method(50, 20, names...), "cut": method(50, 20), "empty": method(50, 50, append(names, 0, 0, 0, 0)...),
		"wrong size": method(50, 50, append(names, 0, 0, 0, 9, 1, 'a', 'V')...), "unknown type": method(50, 50, append(names, sized(entry("b", '?'), entry("a", 'V'))...)...),
	} {
		t.Run(name, func(t *testing.T) {
			got := slices.Clone(frame)
			if sortBinding(got); !bytes.Equal(got, frame) {
				t.Errorf("got %q, want it as it was: %q", got, frame)
			}
		})
	}
}
