package federation

import "weir/link"

// queueSpec makes the link of a federated queue.
func queueSpec(p pair) link.Spec { return p.spec() }
