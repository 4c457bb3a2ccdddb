// Package lab starts real RabbitMQ clusters for tests, in three versions, next to one another and next to whatever else
// runs on the machine, and takes them away again without a trace.
//
// Most tests want a vhost of their own on the one shared node of a version:
//
//	func TestMain(m *testing.M) { lab.Main(m) } // or goleak.VerifyTestMain(lab.Suite{M: m})
//
//	func TestOrders(t *testing.T) {
//		for _, version := range lab.Versions() {
//			t.Run(version, func(t *testing.T) {
//				vhost := lab.RabbitMQ(t, version).VHost(t)
//				ch := vhost.Channel()
//				...
//
// A test in which nodes die, or that changes what all vhosts of a node share (a memory alarm, say), starts a cluster of
// its own with [StartCluster].
//
// `go run ./tests` starts the shared nodes once for all packages and names them to the tests in WEIR_LAB; without it each
// package starts what it uses. `go run ./tests -lab` keeps them up while you work. `go run ./tests -install` gets the brokers.
//
// A node is a child process that the kernel kills when the test process ends, whichever way it ends. It listens on
// loopback only, has its own Erlang home, cookie and port mapper (epmd), and keeps all its files below one temporary folder.
package lab
