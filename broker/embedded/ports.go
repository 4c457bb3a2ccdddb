package embedded

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports for servers that dial each other before all of them listen lie below those that Linux, macOS and Windows give to
// outgoing connections. Otherwise a server that dials one that is not there yet can get its port for the near end, and keep
// it from listening. Those below 20000 are for RabbitMQ nodes that tests start.
const (
	lowestPort  = 20_000
	highestPort = 32_767
	portTries   = 1000
)

// FreePorts finds ports of loopback that nobody listens on now.
func FreePorts(n int) ([]int, error) {
	var ports []int
	var taken error
	for tries := 0; len(ports) < n; tries++ {
		if tries == portTries {
			return nil, fmt.Errorf("no free port: %w", taken)
		}
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			taken = err
			continue
		}
		defer l.Close() // all at the end, so that each port is another
		ports = append(ports, port)
	}
	return ports, nil
}
