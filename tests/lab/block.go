package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// A block is a row of TCP ports that one cluster owns. It lies below the ports that the kernel hands out for outgoing
// connections (32768 and up) and those that package embedded finds for its servers (20000 and up), so that nobody takes the
// port of a node while that node is down.
type block struct {
	base  int
	claim net.Listener
}

const (
	maxNodes   = 3
	nodePorts  = 4
	blockSize  = 1 + maxNodes*nodePorts // epmd, and what the nodes listen on
	firstBlock = 10_000
	lastBlock  = 20_000
)

// claimBlock finds a block in which every port is free. The claim is an abstract unix socket, which other labs on the
// machine respect and which is gone with the process.
func claimBlock() (block, error) {
	for range 100 {
		base := firstBlock + blockSize*rand.IntN((lastBlock-firstBlock)/blockSize)
		claim, err := net.Listen("unix", fmt.Sprintf("@weir-lab-ports-%d", base))
		if err != nil {
			continue
		}
		if allFree(base) {
			return block{base, claim}, nil
		}
		_ = claim.Close()
	}
	return block{}, fmt.Errorf("no %d free ports in a row between %d and %d", blockSize, firstBlock, lastBlock)
}

func allFree(base int) bool {
	for port := base; port < base+blockSize; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

func (b block) release() { _ = b.claim.Close() }
