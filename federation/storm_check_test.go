package federation_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/broker"
	"weir/link"
)

// noTrouble is for what a test itself asks a broker.
var noTrouble = context.Background()

// stale is how long after a binding has gone a gateway may still take it away.
const stale = 3 * time.Minute

// learn notes which bindings are known where.
func (s *storm) learn() {
	if time.Since(s.unsure) < stale {
		return
	}
	mirrored := map[string]map[string]bool{}
	for _, name := range s.names {
		for _, b := range s.sites[name].bindings {
			if last, was := s.gone[name+b.exchange+b.key]; was && time.Since(last) < stale {
				continue
			}
			for _, from := range s.names {
				path := s.path(from, name)
				if path == nil || b.known[from] {
					continue
				}
				known := true
				for i := range path[1:] {
					at := path[i] + path[i+1] + b.exchange
					if mirrored[at] == nil {
						mirrored[at] = s.mirrored(path[i], path[i+1], b.exchange)
					}
					known = known && mirrored[at][b.key+" "+strings.Join(path[i+1:], " ")]
				}
				if known {
					b.known[from] = true
				}
			}
		}
	}
}

// path is the way from one site to another, both included; nil if there is none.
func (s *storm) path(from, to string) []string {
	if slices.Contains(s.pulls[to], from) {
		return []string{from, to}
	}
	if s.maxHops < 2 || from == to {
		return nil
	}
	for _, u := range s.pulls[to] {
		if slices.Contains(s.pulls[u], from) {
			return []string{from, u, to}
		}
	}
	return nil
}

// mirrored is what the buffers at one site for another are bound with: keys, and the sites they were made for.
func (s *storm) mirrored(at, downstream, exchange string) map[string]bool {
	all := map[string]bool{}
	for _, name := range s.sites[at].QueueNames() {
		if isBufferOf(name, downstream, exchange) {
			maps.Copy(all, s.boundWith(at, name, exchange))
		}
	}
	return all
}

func isBufferOf(name, downstream, exchange string) bool {
	base := fmt.Sprintf("weir: %s -> %s///%s", exchange, downstream, exchange)
	return name == base || strings.HasPrefix(name, base+" (")
}

// boundWith is what one buffer is bound with.
func (s *storm) boundWith(at, buffer, exchange string) map[string]bool {
	all := map[string]bool{}
	bindings, _ := s.sites[at].Broker.Bindings(noTrouble, exchange)
	for _, b := range bindings {
		if b.Destination != buffer {
			continue
		}
		id := b.Key
		from, _ := b.Arguments["x-bound-from"].(broker.Array)
		for _, entry := range from {
			id += " " + fmt.Sprint(entry.(broker.Table)["cluster-name"])
		}
		all[id] = true
	}
	return all
}

// owe notes who must get a message.
func (s *storm) owe(from, exchange, key, body string) {
	for _, name := range s.names {
		for _, b := range s.sites[name].bindings {
			if b.exchange == exchange && b.known[from] && wants(b.key, key) {
				s.owed = append(s.owed, debt{body: body, site: name, by: b, path: s.path(from, name)})
			}
		}
	}
}

// wants is the rule of topic exchanges for patterns of two words.
func wants(pattern, key string) bool {
	p, k := strings.Split(pattern, "."), strings.Split(key, ".")
	fits := func(p, k string) bool { return p == "*" || p == k }
	switch {
	case p[0] == "#" && p[1] == "#":
		return true
	case p[0] == "#":
		return fits(p[1], k[1])
	case p[1] == "#":
		return fits(p[0], k[0])
	}
	return fits(p[0], k[0]) && fits(p[1], k[1])
}

// arrived is what lies in the queues of applications, by site, queue and body: how often.
func (s *storm) arrived() map[string]int {
	all := map[string]int{}
	for _, at := range s.sites {
		for _, queue := range apps(at) {
			for _, body := range at.Bodies(queue) {
				all[queue+" "+body]++
			}
		}
	}
	return all
}

// unpaid are the debts that are still open.
func (s *storm) unpaid() (left []string) {
	arrived := s.arrived()
	for _, d := range s.owed {
		if !d.off && !d.by.gone && arrived[d.by.queue+" "+d.body] == 0 {
			left = append(left, fmt.Sprintf("%s for %s by %s", d.body, d.by.queue, d.by.key))
		}
	}
	return left
}

// due is how many debts were not called off.
func (s *storm) due() (n int) {
	for _, d := range s.owed {
		if !d.off && !d.by.gone {
			n++
		}
	}
	return n
}

// amiss is what is not as it should be with the buffers; "" if all is.
func (s *storm) amiss() string {
	for _, name := range s.names {
		for _, up := range s.pulls[name] {
			for _, exchange := range stormExchanges {
				if text := s.amissOf(up, name, exchange); text != "" {
					return text
				}
			}
		}
		for i, p := range s.sites[name].gateways {
			if text := amissIn(p.gateway); text != "" {
				return fmt.Sprintf("gateway %d of %s: %s", i, name, text)
			}
		}
	}
	return ""
}

func (s *storm) amissOf(at, downstream, exchange string) string {
	var buffers []string
	for _, name := range s.sites[at].QueueNames() {
		if isBufferOf(name, downstream, exchange) {
			buffers = append(buffers, name)
		}
	}
	if len(buffers) != 1 {
		text := fmt.Sprintf("%s has buffers %q", at, buffers)
		for _, name := range buffers {
			d, _ := s.sites[at].Depth(noTrouble, broker.Address{Queue: name})
			text += fmt.Sprintf("; %s: %v ready, %v unacked", name, d.Ready, d.Unacked)
		}
		for _, p := range s.sites[downstream].gateways {
			if l, ok := p.Link(at + "/exchanges/" + exchange); ok {
				text += fmt.Sprintf("; %s, %+v", l.Status().State, l.Status().Federation)
			}
		}
		return text
	}
	if d, _ := s.sites[at].Depth(noTrouble, broker.Address{Queue: buffers[0]}); d.Ready.N+d.Unacked.N > 0 {
		return fmt.Sprintf("%s of %s holds messages: %v ready, %v unacked", buffers[0], at, d.Ready, d.Unacked)
	}
	want := map[string]bool{}
	for _, name := range s.names {
		path := s.path(at, name)
		if path == nil || path[1] != downstream {
			continue
		}
		for _, b := range s.sites[name].bindings {
			if b.exchange == exchange {
				want[b.key+" "+strings.Join(path[1:], " ")] = true
			}
		}
	}
	if have := s.boundWith(at, buffers[0], exchange); !maps.Equal(have, want) {
		return fmt.Sprintf("%s of %s is bound with %q, want %q", buffers[0], at, slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)))
	}
	return ""
}

// amissIn is what a gateway itself says.
func amissIn(g *gateway) string {
	for _, l := range g.Statuses() {
		switch f := l.Federation; {
		case f.EqualAt.IsZero() || f.Problem != "":
			return fmt.Sprintf("%s is equal since %v, problem %q", l.Name, f.EqualAt, f.Problem)
		case l.State != link.Idle && l.State != link.Standby:
			return fmt.Sprintf("%s is %s, %s", l.Name, l.State, l.Reason)
		}
	}
	if p := g.Problems(); len(p) > 0 {
		return fmt.Sprintf("problems %+v", p)
	}
	if left, err := g.Leftovers(noTrouble); len(left) > 0 || err != nil {
		return fmt.Sprintf("leftovers %+v, error %v", left, err)
	}
	return ""
}

// arrivedOnce checks what has arrived: at most once if so asked, and never by a loop.
func (s *storm) arrivedOnce(strictly bool) {
	for where, n := range s.arrived() {
		if strictly && n != 1 {
			s.Errorf("%s arrived %d times", where, n)
		}
	}
	for _, at := range s.sites {
		for _, queue := range apps(at) {
			for _, m := range at.Messages(queue) {
				if want, got := s.path(fmt.Sprint(m.Headers["from"]), at.name), hops(m, at.name); m.Headers["from"] != at.name && !slices.Equal(got, want) {
					s.Errorf("%s came to %s by %q, want %q", m.Body, queue, got, want)
				} else if m.Headers["from"] == at.name && len(got) > 1 {
					s.Errorf("%s came back to %s by %q", m.Body, queue, got)
				}
			}
		}
	}
}

// hops are the sites a message has been in, oldest first, with the one where it is.
func hops(m *broker.Message, here string) []string {
	list, _ := m.Headers[link.ReceivedFrom].(broker.Array)
	been := []string{here}
	for _, entry := range list {
		been = append([]string{fmt.Sprint(entry.(broker.Table)["cluster-name"])}, been...)
	}
	return been
}

// seeds are the first n, or as many as WEIR_STORMS says.
func seeds(n uint64) (all []uint64) {
	if more, err := strconv.ParseUint(os.Getenv("WEIR_STORMS"), 10, 64); err == nil {
		n = more
	}
	for seed := range n {
		all = append(all, seed)
	}
	return all
}
