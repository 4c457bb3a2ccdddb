package configs

import "time"

// Every default is here once, and the JSON schema takes it from here. Those that depend on another setting are in
// resolve.go: max-hops of an overflow shovel, the replicas of streams, the guest account, and what is the local broker's.

func (c *Config) setDefaults() { c.Version = 1 }

func (b *Broker) setDefaults() {
	b.VHost = "/"
	b.AuthMechanism = Plain
	b.Heartbeat = 10 * time.Second
}

func (s *Streams) setDefaults() {
	s.Storage = FileStorage
	s.MaxBytes = 1 << 30
	s.DuplicateWindow = 2 * time.Minute
}

func (e *EmbeddedNodes) setDefaults() {
	e.Nodes = 1
	e.SyncAlways = true
}

func (c *Cluster) setDefaults() { c.Size = 3 }

func (u *UpstreamSettings) setDefaults() {
	u.AckMode = OnConfirm
	u.MaxHops = 1
	u.QueueType = Quorum
}

func (p *Policy) setDefaults() { p.ApplyTo = ApplyToAll }

func (s *Shovel) setDefaults() { s.AckMode = OnConfirm }

func (f *Fallback) setDefaults() {
	f.Attempts = 10
	f.Then = ThenPause
}

func (o *Overflow) setDefaults() {
	o.For = 5 * time.Second
	o.Match = MatchAny
}

func (r *Room) setDefaults() { r.For = 5 * time.Second }

func (l *LinkSettings) setDefaults() {
	l.ReconnectDelay = Delay{Min: 500 * time.Millisecond, Max: 30 * time.Second}
	l.ConfirmTimeout = 30 * time.Second
	l.DrainTimeout = 20 * time.Second
	l.HoldLimit = 10 * time.Minute
	l.MemoryLimit = 64 << 20
}

func (t *Traces) setDefaults() {
	t.Ratio = 0.01
	t.Propagation = PropagateUpdate
}

func (l *Logs) setDefaults() {
	l.Level = LogInfo
	l.Format = LogText
}

func (a *Admin) setDefaults() { a.Listen = "127.0.0.1:9470" }
