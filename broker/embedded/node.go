package embedded

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// node is one server, and how to start it again.
type node struct {
	options server.Options
	log     *logger
	server  *server.Server // nil while it is stopped
	url     string
}

func (n *node) start() error {
	o := n.options // the server changes its own
	s, err := server.NewServer(&o)
	if err != nil {
		return fmt.Errorf("%s: %w", n.options.ServerName, err)
	}
	s.SetLoggerV2(n.log, false, false, false)
	s.Start() // returns once it listens; what runs on is joined by stop
	n.server, n.url = s, s.ClientURL()
	return nil
}

// stop waits until nothing of the server runs.
func (n *node) stop() {
	if n.server == nil {
		return
	}
	n.server.Shutdown()
	n.server.WaitForShutdown()
	n.server = nil
}
