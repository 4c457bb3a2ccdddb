package brokertest

import "weir/broker"

// Standby is how several gateways share a buffer.
const Standby = "of two sources on a buffer one stands by, and takes over in order"

var standing = []behaviour{
	{name: Standby, run: func(t *test) {
		f := t.federated(broker.Table{"x-single-active-consumer": true})
		f.rebind(by("#"), nil)
		one := f.open(2)
		t.standby(one, false)
		two := f.open(2)
		t.standby(two, true)
		t.standby(one, false)
		f.published("1", "2", "3", "4", "5")
		held := t.receive(one, 2)
		t.bodies(held, "1", "2")
		t.nothing(two)
		t.ack(one, held[0])
		t.bodies(t.receive(one, 1), "3")
		t.shut(one)
		got := t.receive(two, 2)
		t.bodies(got, "2", "3")
		t.ack(two, got[1])
		t.bodies(t.receive(two, 2), "4", "5")
		t.standby(two, false)
	}},
}

func (t *test) standby(s broker.Source, want bool) {
	t.Helper()
	t.eventually(func() string {
		got, err := s.(broker.Standing).Standby(t.within())
		switch {
		case err != nil:
			t.Fatalf("Standby: %v", err)
		case got != want && want:
			return "the source does not stand by"
		case got != want:
			return "the source stands by"
		}
		return ""
	})
}
