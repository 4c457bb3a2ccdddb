package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Network is a switch with hosts at it, apart from the machine's own network. Its methods fail the test on error.
type Network struct {
	t     testing.TB
	at    namespace // of the switch
	hosts int
}

// NewNetwork makes a switch with no hosts. It takes root: a developer's test is skipped without.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	if os.Geteuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("network namespaces take root")
	}
	n := &Network{t: t}
	n.at = n.namespace()
	n.ip(n.at, "link", "add", "switch", "type", "bridge")
	n.ip(n.at, "link", "set", "switch", "up")
	return n
}

// namespace makes one for the time of the test.
func (n *Network) namespace() namespace {
	n.t.Helper()
	at, err := newNamespace()
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(at.close)
	return at
}

func (n *Network) ip(at namespace, args ...string) string {
	n.t.Helper()
	out, err := at.command("ip", args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Host is one of a Network's hosts, with the interface eth0.
type Host struct {
	// Name is what the test calls it.
	Name string
	// Address is its IP address in the network 10.203.0.0/24.
	Address string

	network *Network
	at      namespace
}

// VirtualAddress is an address of a Network that no host has of its own.
const VirtualAddress = "10.203.0.100"

// Host joins a new host to the switch.
func (n *Network) Host(name string) *Host {
	n.t.Helper()
	n.hosts++
	h := &Host{Name: name, Address: fmt.Sprintf("10.203.0.%d", 10+n.hosts), network: n, at: n.namespace()}
	n.ip(n.at, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", h.at.path())
	n.ip(n.at, "link", "set", name, "master", "switch", "up")
	n.ip(h.at, "address", "add", h.Address+"/24", "dev", "eth0")
	n.ip(h.at, "link", "set", "lo", "up")
	n.ip(h.at, "link", "set", "eth0", "up")
	return h
}

// Command is a program on the host, which the kernel kills when the test process ends.
func (h *Host) Command(program string, args ...string) *exec.Cmd {
	return h.at.command(program, args...)
}

// Has tells whether the host has an address now.
func (h *Host) Has(address string) bool {
	h.network.t.Helper()
	return strings.Contains(h.network.ip(h.at, "-oneline", "address", "show", "dev", "eth0"), " "+address+"/")
}

// Unplug pulls the host's cable out of the switch.
func (h *Host) Unplug() {
	h.network.t.Helper()
	h.network.ip(h.network.at, "link", "set", h.Name, "down")
}

// Plug puts it in again.
func (h *Host) Plug() {
	h.network.t.Helper()
	h.network.ip(h.network.at, "link", "set", h.Name, "up")
}

// Forward passes on what connects to a port of the host to an address of the machine's own network, until the test ends.
func (h *Host) Forward(port int, to string) {
	h.network.t.Helper()
	var listener net.Listener
	err := h.at.inside(func() (err error) {
		listener, err = net.Listen("tcp", fmt.Sprintf("%s:%d", h.Address, port))
		return err
	})
	if err != nil {
		h.network.t.Fatal(err)
	}
	f := &forwarding{listener: listener, to: to, open: map[net.Conn]struct{}{}}
	f.running.Go(f.accept)
	h.network.t.Cleanup(f.close)
}
