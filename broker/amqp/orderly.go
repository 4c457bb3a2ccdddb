package amqp

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// amqp091-go writes the arguments of a binding in the order of a Go map, which is another each time. RabbitMQ sorts them,
// but not tables within them (x-bound-from holds some), and two bindings whose tables differ in their order are two to it:
// one would be bound twice, and the other never unbound. So they are written in the order of their names.

// sortBinding sorts the arguments of a frame that binds or unbinds. Its size stays.
func sortBinding(frame []byte) {
	if len(frame) < frameHeader+6 {
		return
	}
	flags := 1 // octets before the arguments
	switch binary.BigEndian.Uint32(frame[frameHeader:]) {
	case 50<<16 | 20, 40<<16 | 30, 40<<16 | 40: // queue.bind, exchange.bind, exchange.unbind
	case 50<<16 | 50: // queue.unbind
		flags = 0
	default:
		return
	}
	at := frameHeader + 4 + 2 // class and method, a reserved short
	for range 3 {             // two names and the routing key
		if at >= len(frame) {
			return
		}
		at += 1 + int(frame[at])
	}
	if at += flags; at < len(frame) {
		sortTable(frame[at:])
	}
}

// sortTable sorts the table that b begins with, and those within it. What it does not understand it leaves as it is.
func sortTable(b []byte) {
	entries := long32(b)
	var sorted [][]byte
	for rest := entries; len(rest) > 0; {
		name := 1 + int(rest[0])
		if name >= len(rest) {
			return
		}
		size := sortField(rest[name:])
		if size == 0 {
			return
		}
		sorted = append(sorted, rest[:name+size])
		rest = rest[name+size:]
	}
	slices.SortFunc(sorted, func(a, b []byte) int {
		return bytes.Compare(a[1:1+int(a[0])], b[1:1+int(b[0])])
	})
	copy(entries, slices.Concat(sorted...))
}

// sortField sorts within the value that b begins with, and returns its size, type octet included; 0 if it does not fit or
// its type is not among those that amqp091-go writes.
func sortField(b []byte) int {
	size := 1
	switch b[0] {
	case 'V':
	case 't', 'b', 'B':
		size += 1
	case 's', 'u':
		size += 2
	case 'I', 'i', 'f':
		size += 4
	case 'D':
		size += 5
	case 'l', 'd', 'T':
		size += 8
	case 'S', 'x':
		size += 4 + len(long32(b[1:]))
	case 'F':
		sortTable(b[1:])
		size += 4 + len(long32(b[1:]))
	case 'A':
		list := long32(b[1:])
		size += 4 + len(list)
		for len(list) > 0 {
			n := sortField(list)
			if n == 0 {
				return 0
			}
			list = list[n:]
		}
	default:
		return 0
	}
	if size > len(b) {
		return 0
	}
	return size
}

// long32 is what follows a size of four octets, as far as it is there.
func long32(b []byte) []byte {
	if len(b) < 4 {
		return nil
	}
	n := int(binary.BigEndian.Uint32(b))
	return b[4:][:min(n, len(b)-4)]
}
