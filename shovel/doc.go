// Package shovel makes links of declared shovels: each moves messages from one queue, exchange or stream to the first of
// its destinations that may take them, all the time or while a queue is over its thresholds.
//
//	links.go       configs.Shovel -> link.Spec; ends.go and addresses.go: what a shovel uses, and where
//	overflow.go    the gate that opens and shuts by thresholds.go, or by hand; budget.go: when it has to look again; stranded.go: what does
//	                not count for it
//	owner.go       the gate that lets one of several gateways run
//	rooms.go       the gate that is open while any destination has room (room.go)
//	choice.go      the destinations in order of preference; reach.go: which of them can be reached
//	route.go       the sink that picks one of them for each message
//	place.go       one destination: what may go there, and how it is stamped (stamp.go) on its way
package shovel
