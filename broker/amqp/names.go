package amqp

import (
	"crypto/sha256"
	"encoding/hex"
)

// ownPrefix begins the name of everything that weir makes on a broker.
const ownPrefix = "weir: "

// ownName is the name of a queue that belongs to one link of one site, the same for each gateway of the site and after
// each restart.
func ownName(kind, site, link string) string {
	return shorten(ownPrefix+kind+" "+site+"/"+link, mostShort)
}

// shorten cuts a name to so many bytes; a hash of the whole keeps it unique.
func shorten(name string, most int) string {
	if len(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	hash := " " + hex.EncodeToString(sum[:8])
	return name[:most-len(hash)] + hash
}
