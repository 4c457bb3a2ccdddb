package lab

import (
	"context"
	"fmt"
	"strings"
)

// Partition cuts node i off from the other nodes of its cluster, as a broken switch would: clients reach all of them. It returns
// when neither side sees the other. Heal ends it.
//
// The nodes share the loopback, so what is broken is trust: each side gets a wrong cookie for the other, which ends the
// connection and lets no new one begin. A node that is restarted has forgotten it.
func (c *Cluster) Partition(i int) {
	c.t.Helper()
	c.trust(i, "not yours", "nor yours") // the same on both sides would do
	for _, peer := range c.running(i) {
		c.Eval(i, fmt.Sprintf("erlang:disconnect_node('%s').", peer.Name))
	}
	c.awaitPeers(i, false)
}

// Heal ends a Partition of node i and returns when its VM is connected to the others again. What RabbitMQ makes of it
// (cluster_partition_handling) comes after.
func (c *Cluster) Heal(i int) {
	c.t.Helper()
	c.trust(i, c.cookie, c.cookie)
	for _, peer := range c.running(i) {
		c.Eval(i, fmt.Sprintf("net_kernel:connect_node('%s').", peer.Name))
	}
	c.awaitPeers(i, true)
}

// trust sets the cookies that node i uses with its peers, and they with it.
func (c *Cluster) trust(i int, its, theirs string) {
	c.t.Helper()
	for _, peer := range c.running(i) {
		c.Eval(i, fmt.Sprintf("erlang:set_cookie('%s', '%s').", peer.Name, its))
		if _, err := c.eval(peer, fmt.Sprintf("erlang:set_cookie('%s', '%s').", c.Nodes[i].Name, theirs)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// running are the nodes beside i that are up.
func (c *Cluster) running(i int) (peers []*Node) {
	for j, n := range c.Nodes {
		if j != i && n.process != nil {
			peers = append(peers, n)
		}
	}
	return peers
}

// awaitPeers waits until node i is connected to every other one that is up, or to none.
func (c *Cluster) awaitPeers(i int, connected bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), startTimeout)
	defer cancel()
	err := until(ctx, func() error {
		seen, err := c.eval(c.Nodes[i], "nodes().")
		if err != nil {
			return err
		}
		for _, peer := range c.running(i) {
			if strings.Contains(seen, peer.Name) != connected {
				return fmt.Errorf("%s is connected to %s", c.Nodes[i].Name, seen)
			}
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
}
