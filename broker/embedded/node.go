package embedded

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// node is one server, and how to start it again.
type node struct {
	options server.Options
	log     *logger
	server  *server.Server // nil while it is stopped
	url     string
}

// start returns when the node takes connections, or has said why it will not. Its cluster may not have formed by then.
func (n *node) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	o := n.options // the server changes its own
	s, err := server.NewServer(&o)
	if err != nil {
		return fmt.Errorf("%s: %w", n.options.ServerName, err)
	}
	s.SetLoggerV2(n.log, false, false, false)
	s.Start() // what runs on is joined by stop
	n.server = s
	for !s.ReadyForConnections(20 * time.Millisecond) {
		err := context.Cause(ctx)
		if err == nil {
			err = n.log.failure()
		}
		if err != nil {
			n.stop()
			return fmt.Errorf("%s does not listen: %w", n.options.ServerName, err)
		}
	}
	n.url = s.ClientURL()
	n.options.Port = s.Addr().(*net.TCPAddr).Port // the same when it starts again
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
