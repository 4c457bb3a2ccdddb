package cli

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/admin"
	"weir/internal/gateway"
)

// statusEvery is how often systemd is told how the links do, if its watchdog does not ask for more.
const statusEvery = 10 * time.Second

// notifier tells systemd about the service, as sd_notify(3) says, where NOTIFY_SOCKET asks for it. nil tells nobody.
type notifier struct {
	conn net.Conn
	log  *slog.Logger
	// watchdog is how long systemd waits for a sign of life. 0: it does not.
	watchdog time.Duration
}

func newNotifier(log *slog.Logger) (*notifier, error) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	conn, err := net.Dial("unixgram", path) // a leading @ is an abstract socket, also to Go
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	n := &notifier{conn: conn, log: log}
	pid := os.Getenv("WATCHDOG_PID")
	if pid == "" || pid == strconv.Itoa(os.Getpid()) {
		microseconds, _ := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64) // unset: 0
		n.watchdog = time.Duration(microseconds) * time.Microsecond
	}
	return n, nil
}

// tell sends assignments such as READY=1.
func (n *notifier) tell(lines ...string) {
	if n == nil {
		return
	}
	if _, err := n.conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		n.log.Warn("systemd cannot be told", "error", err)
	}
}

// ready tells that the configuration runs, or runs again.
func (n *notifier) ready(g *gateway.Gateway) { n.tell("READY=1", status(g)) }

// reloading tells that the configuration is read again; ready must follow.
func (n *notifier) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	n.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// live tells again and again how the links do, until stop is called. Asking every link for its status is the sign of
// life: if one hangs, so does this, and systemd starts weir anew.
func (n *notifier) live(g *gateway.Gateway) (stop func()) {
	if n == nil {
		return func() {}
	}
	every := statusEvery
	if n.watchdog > 0 {
		every = min(every, n.watchdog/2)
	}
	over := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			n.tell("WATCHDOG=1", status(g))
			select {
			case <-tick.C:
			case <-over:
				return
			}
		}
	})
	return func() {
		close(over)
		telling.Wait()
		_ = n.conn.Close()
	}
}

// status is the line that systemctl status shows.
func status(g *gateway.Gateway) string {
	return "STATUS=" + printable(admin.VerdictOf(g.Status()).Text)
}
