package jetstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"weir/broker"
)

func bindings(t *testing.T, all ...broker.Binding) bindingSet {
	t.Helper()
	s, _, err := bindingSet{}.with(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Few bindings can be read in the metadata by anybody; thousands fit, with the hops that each has.
func TestBindingsInMetadata(t *testing.T) {
	hops := broker.Table{"x-bound-from": broker.Array{broker.Table{
		"cluster-name": "eu", "vhost": "/", "exchange": "catalog", "hops": int32(2),
	}}}
	few := bindings(t, broker.Binding{Key: "a.*"}, broker.Binding{Key: "b\xff%", Arguments: hops}, broker.Binding{Key: "c", Arguments: hops}, broker.Binding{Key: "b"})
	text, err := few.encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"keys":["a.*","b"]},{"arguments":{"x-bound-from":{"array":[{"table":{"cluster-name":"eu","exchange":"catalog","hops":{"int32":2},"vhost":"/"}}]}},"keys":["b%FF%25","c"]}]`
	if text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	many := bindingSet{}
	for i := range 10_000 {
		b := broker.Binding{Key: fmt.Sprintf("customer.%d.order.%x", i, rand.Uint32()), Arguments: hops}
		id, err := identify(b)
		if err != nil {
			t.Fatal(err)
		}
		many[id] = b
	}
	for _, s := range []bindingSet{{}, few, many} {
		text, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bindings: %d bytes", len(s), len(text))
		back, err := decodeBindings(text)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%d bindings come back as %d (%v)", len(s), len(back), err)
		}
	}
}

func TestTooManyBindingsAreRefused(t *testing.T) {
	s := bindingSet{}
	for range 3000 {
		key := make([]byte, 100)
		for i := range key {
			key[i] = byte('!' + rand.IntN(90))
		}
		s[bindingID{key: string(key)}] = broker.Binding{Key: string(key)}
	}
	if _, err := s.encode(); !errors.Is(err, broker.ErrUnsupported) || !strings.Contains(err.Error(), "3000 bindings") {
		t.Errorf("got %v, want ErrUnsupported with their number", err)
	}
}

func TestBadMetadataIsRefused(t *testing.T) {
	for _, text := range []string{"", "{}x", "gzip:", "gzip:!", "gzip:aaaa", `[{"keys":["%"]}]`, `[{"arguments":{"a":1},"keys":[""]}]`} {
		if s, err := decodeBindings(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, s)
		}
	}
	if _, _, err := (bindingSet{}).with([]broker.Binding{{Arguments: broker.Table{"a": struct{}{}}}}, nil); !errors.Is(err, broker.ErrUnsupported) {
		t.Errorf("a foreign type: got %v, want ErrUnsupported", err)
	}
}
