package chaos

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/tests/await"
	"weir/tests/lab"
)

const cluster = "../../examples/cluster/" // the files that operators start with

// virtualIP is a network where two balancers with HAProxy and keepalived stand in front of a RabbitMQ cluster, and move a virtual IP
// between them.
type virtualIP struct {
	t         *testing.T
	gateway   *lab.Host // where weir runs
	balancers []*balancer
}

type balancer struct {
	*lab.Host
	t   *testing.T
	env []string

	haproxy, keepalived *lab.Daemon
}

// newVirtualIP starts all of it and returns when lb1 has the address and serves. What the configuration takes for three nodes is
// one.
func newVirtualIP(t *testing.T, broker *lab.Broker) *virtualIP {
	t.Helper()
	network := lab.NewNetwork(t)
	v := &virtualIP{t: t, gateway: network.Host("gw")}
	check := base64.StdEncoding.EncodeToString([]byte(broker.Username + ":" + broker.Password))
	env := []string{"CHECK_USER=" + check, "RUN_AS_USER=root", "RUN_AS_GROUP=root"}
	for i := range 3 {
		node := network.Host(fmt.Sprintf("rmq-%d", i+1))
		node.Forward(5672, fmt.Sprintf("127.0.0.1:%d", broker.Nodes[0].AMQP))
		node.Forward(15672, fmt.Sprintf("127.0.0.1:%d", broker.Nodes[0].Management))
		env = append(env, fmt.Sprintf("RMQ%d=%s", i+1, node.Address))
	}
	for i := range 2 {
		host := network.Host(fmt.Sprintf("lb%d", i+1))
		socket := filepath.Join(t.TempDir(), "admin.sock")
		b := &balancer{Host: host, t: t, env: append(slices.Clone(env), "ADMIN_SOCKET="+socket)}
		b.startHAProxy()
		v.balancers = append(v.balancers, b)
	}
	config := v.config()
	for _, b := range v.balancers { // the first one gets the address, and keeps it when the other one comes
		b.keepalived = b.Keepalived(config)
		await.That(t, time.Minute, "held by lb1", func() bool { return v.balancers[0].Has(lab.VirtualAddress) })
	}
	await.That(t, time.Minute, "served at the address", func() bool {
		return v.gateway.Command("curl", "-sf", "-m", "2", "-o", "/dev/null", "http://"+lab.VirtualAddress+":15672/").Run() == nil
	})
	return v
}

// config is the example's keepalived.conf, with the addresses of this network.
func (v *virtualIP) config() string {
	v.t.Helper()
	text, err := os.ReadFile(cluster + "keepalived.conf")
	if err != nil {
		v.t.Fatal(err)
	}
	config := string(text)
	for name, value := range map[string]string{
		"VIP": lab.VirtualAddress + "/24", "LB1": v.balancers[0].Address, "LB2": v.balancers[1].Address,
	} {
		before, after, found := strings.Cut(config, "\n$"+name+"=")
		_, after, ended := strings.Cut(after, "\n")
		if !found || !ended {
			v.t.Fatalf("keepalived.conf does not define $%s", name)
		}
		config = before + "\n$" + name + "=" + value + "\n" + after
	}
	return config
}

func (b *balancer) startHAProxy() {
	b.t.Helper()
	config, err := filepath.Abs(cluster + "haproxy.cfg")
	if err != nil {
		b.t.Fatal(err)
	}
	b.haproxy = b.Run(b.env, "haproxy", "-db", "-f", config)
}

// says is how often the host's keepalived has said something.
func (b *balancer) says(words string) int { return strings.Count(b.keepalived.Log(), words) }

// holder is the one balancer that has the address, nil if none or both have it.
func (v *virtualIP) holder() *balancer {
	v.t.Helper()
	var holder *balancer
	for _, b := range v.balancers {
		if b.Has(lab.VirtualAddress) {
			if holder != nil {
				return nil
			}
			holder = b
		}
	}
	return holder
}

// moves waits until a balancer has the address, and logs how long that took.
func (v *virtualIP) moves(to *balancer) {
	v.t.Helper()
	began := time.Now()
	await.That(v.t, time.Minute, "the address at "+to.Name, func() bool { return to.Has(lab.VirtualAddress) })
	v.t.Logf("%s has the address after %v", to.Name, tenths(time.Since(began)))
}

// yaml declares a vhost's broker for weir, which knows nothing but the address.
func (v *virtualIP) yaml(vhost *lab.VHost) string {
	return fmt.Sprintf("{type: rabbitmq, uris: [\"amqp://%[1]s\"], vhost: %[2]q, username: %[3]q, password: %[4]q,\n"+
		"       management: {uris: [\"http://%[1]s:15672\"]}}", lab.VirtualAddress, vhost.Name, vhost.Username, vhost.Password)
}
