package configs

import "net"

func (c *checker) embedded(at path, b Broker) {
	c.subjectPrefix(at, b)
	if b.DataDir == "" {
		c.mistake(at.key("data-dir"), "missing; it is the folder of the streams")
	}
	if b.Nodes != 1 && b.Nodes != 3 {
		c.mistake(at.key("nodes"), "must be 1 or 3")
	}
	if b.Listen != "" && !c.loopback(at.key("listen"), b.Listen) && len(b.Users) == 0 {
		c.mistake(at.key("users"), "missing; %s can be reached from other hosts", at.key("listen"))
	}
	names := map[string]bool{}
	for i, u := range b.Users {
		user := at.key("users").index(i)
		c.login(user)
		if names[u.Username] {
			c.mistake(user.key("username"), "is there twice")
		}
		names[u.Username] = true
	}
	known := b.Nodes
	if b.Cluster != nil {
		c.cluster(at.key("cluster"), *b.Cluster)
		known = b.Cluster.Size
		if b.Nodes != 1 {
			c.mistake(at.key("nodes"), "with cluster this process is one node; remove the key")
		}
	}
	if b.Streams.Replicas > known {
		c.mistake(at.key("streams").key("replicas"), "%d copies need as many nodes, and there are %d", b.Streams.Replicas, known)
	}
}

func (c *checker) cluster(at path, k Cluster) {
	c.checkName(at.key("name"), k.Name)
	if k.Size == 4 {
		c.mistake(at.key("size"), "must be 3 or 5: an even number survives no more than the odd one below it")
	}
	if len(k.Routes) < k.Size-1 {
		c.mistake(at.key("routes"), "lists %d of the %d other nodes", len(k.Routes), k.Size-1)
	}
	for i, route := range k.Routes {
		c.loopback(at.key("routes").index(i), route)
	}
	if !c.loopback(at.key("listen"), k.Listen) && k.SecretFile == "" {
		c.mistake(at.key("secret-file"), "missing; %s can be reached from other hosts", at.key("listen"))
	}
}

// loopback checks host:port and reports whether only this host can reach it. Where it is no address at all that is noted,
// and the answer is true, so that no other complaint is built on it.
func (c *checker) loopback(at path, address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !isPort(port) {
		c.mistake(at, "want host:port with a port from 1 to 65535")
		return true
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// embeddedApart checks that no two embedded brokers share a folder or an address.
func (c *checker) embeddedApart() {
	folders, addresses := map[string]string{}, map[string]string{}
	each(c.cfg.Brokers, func(name string, b *Broker) {
		if b.Type != Embedded {
			return
		}
		at := path("brokers").key(name)
		c.alone(folders, at.key("data-dir"), b.DataDir, name)
		c.alone(addresses, at.key("listen"), b.Listen, name)
	})
}

func (c *checker) alone(owners map[string]string, at path, value, name string) {
	if owner, taken := owners[value]; taken && value != "" {
		c.mistake(at, "broker %s uses it already", owner)
	}
	owners[value] = name
}
