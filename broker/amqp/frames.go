package amqp

import "encoding/binary"

// frames passes on to the wire what amqp091-go writes, in whole frames, and puts right on the way what the library cannot
// be told: the order of a binding's arguments (orderly.go), and how a message's properties are encoded (content.go).
type frames struct {
	*wire
	begun []byte // what has been written and does not make a frame yet
}

// AMQP 0-9-1, section 4.2.3: type, channel, size, payload and an end octet. A connection begins with a protocol header.
const (
	frameHeader    = 1 + 2 + 4
	frameEnd       = 1
	frameMethod    = 1
	frameContent   = 2 // a content header
	protocolHeader = 8
)

// Write implements io.Writer. amqp091-go writes from one goroutine at a time.
func (f *frames) Write(p []byte) (int, error) {
	f.begun = append(f.begun, p...)
	whole, passed := 0, 0
	for {
		n := frameSize(f.begun[whole:])
		if n == 0 || whole+n > len(f.begun) {
			break
		}
		passed += copy(f.begun[passed:], corrected(f.begun[whole:whole+n]))
		whole += n
	}
	if whole > 0 {
		if _, err := f.wire.Write(f.begun[:passed]); err != nil {
			return 0, err
		}
	}
	f.begun = f.begun[:copy(f.begun, f.begun[whole:])]
	return len(p), nil
}

// corrected is a frame as it is to be sent: the same one, or a part of the same memory.
func corrected(frame []byte) []byte {
	switch frame[0] {
	case frameMethod:
		sortBinding(frame)
	case frameContent:
		return unwrap(frame)
	}
	return frame
}

// frameSize is the size of the frame that begins here, 0 if not enough of it is there to tell.
func frameSize(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == 'A':
		return protocolHeader
	case len(b) < frameHeader:
		return 0
	default:
		return frameHeader + int(binary.BigEndian.Uint32(b[3:])) + frameEnd
	}
}
