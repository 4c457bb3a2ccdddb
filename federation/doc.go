// Package federation pulls what consumers of a downstream broker ask for from its upstreams, and nothing else. It makes
// links (package link) of policies and of what exists downstream.
package federation
