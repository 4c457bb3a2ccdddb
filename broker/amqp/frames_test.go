package amqp

import (
	"bytes"
	"slices"
	"testing"
)

// Ensure what is written in pieces of any size is passed on in whole frames, in order, the protocol header too.
func TestFramesArePassedOnWhole(t *testing.T) {
	stream := slices.Concat([]byte("AMQP\x00\x00\x09\x01"), method(10, 11, 1, 2, 3), method(50, 20), bytes.Repeat(method(60, 80, 1), 3))
	for _, size := range []int{1, 2, 7, 8, 20, len(stream)} {
		f := &frames{wire: &wire{wake: make(chan struct{}, 1)}}
		for piece := range slices.Chunk(stream, size) {
			if n, err := f.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			if begun := f.begun; len(begun) > 0 && len(begun) == frameSize(begun) {
				t.Errorf("in pieces of %d: a frame was kept back", size)
			}
		}
		if !bytes.Equal(f.gathered, stream) {
			t.Errorf("in pieces of %d: got %q", size, f.gathered)
		}
	}
}
