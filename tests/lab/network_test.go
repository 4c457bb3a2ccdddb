package lab_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"weir/tests/lab"
)

// Ensure hosts of a network reach each other and, by Forward, a server outside; that one is alone while its cable is out; and that
// nothing of it shows in the machine's own network.
func TestNetwork(t *testing.T) {
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	go func() {
		for {
			conn, err := outside.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "hello")
			_ = conn.Close()
		}
	}()
	network := lab.NewNetwork(t)
	server, client := network.Host("server"), network.Host("client")
	server.Forward(5672, outside.Addr().String())
	hello := func() (string, error) {
		out, err := client.Command("timeout", "2", "bash", "-c", "cat </dev/tcp/"+server.Address+"/5672").CombinedOutput()
		return string(out), err
	}
	if said, err := hello(); said != "hello" || err != nil {
		t.Errorf("%q, %v", said, err)
	}
	server.Unplug()
	if said, err := hello(); err == nil {
		t.Errorf("%q without a cable", said)
	}
	server.Plug()
	eventually(t, "the server reached again", func() bool { said, err := hello(); return err == nil && said == "hello" })
	if !client.Has(client.Address) || client.Has(server.Address) {
		t.Error("a host does not know its address")
	}
	links, err := os.ReadFile("/proc/net/dev")
	if err != nil || strings.Contains(string(links), "client") || strings.Contains(string(links), "switch") {
		t.Errorf("the machine sees the network (%v):\n%s", err, links)
	}
}
