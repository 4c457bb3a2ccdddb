package shovel

import (
	"maps"
	"slices"
	"strconv"

	"weir/broker"
	"weir/configs"
)

// End is one address that a declared shovel uses, for checks before it runs.
type End struct {
	// Path is its place in the configuration: shovels.orders.destinations[0].
	Path string
	// Broker is the name it is declared under.
	Broker string
	At     broker.Address
	As     broker.Role
	// Predeclared: what is missing there is not declared by the shovel.
	Predeclared bool
	// DeclareArgs are what a missing queue is declared with.
	DeclareArgs broker.Table
	// Rejects: a message that no destination takes is rejected here, and lost unless the queue dead-letters it.
	Rejects bool
}

// Ends lists what the declared shovels use, in the order of their names. What a shovel only watches is among it, as a
// source that must exist.
func Ends(cfg *configs.Config) []End {
	var ends []End
	for _, name := range slices.Sorted(maps.Keys(cfg.Shovels)) {
		ends = append(ends, endsOf(cfg.Site, cfg.Shovels[name])...)
	}
	return ends
}

func endsOf(site string, s configs.Shovel) []End {
	path := configs.Place("shovels", s.Name)
	source := End{
		Path:        path + ".source",
		Broker:      s.Source.Broker,
		At:          sourceAddress(site, s),
		As:          broker.AsSource,
		Predeclared: s.Source.Predeclared,
		DeclareArgs: table(s.Source.QueueArgs),
		Rejects:     s.OnRefused.Then == configs.ThenReject || s.OnUnroutable.Then == configs.ThenReject,
	}
	ends := []End{source}
	watch := func(path string, w configs.Watch) {
		e := End{Path: path + ".watch", Broker: w.Broker, At: watchAddress(w), As: broker.AsSource, Predeclared: true}
		itself := e.Broker == source.Broker && (e.At == source.At || e.At == broker.Address{})
		if !itself {
			ends = append(ends, e)
		}
	}
	if o := s.Overflow; o != nil {
		watch(path+".overflow", o.Watch)
	}
	for i, d := range s.Destinations {
		path := path + ".destinations[" + strconv.Itoa(i) + "]"
		ends = append(ends, End{
			Path: path, Broker: d.Broker, At: destinationAddress(d), As: broker.AsDestination,
			Predeclared: d.Predeclared, DeclareArgs: table(d.QueueArgs),
		})
		if d.Room != nil {
			watch(path+".room", d.Room.Watch)
		}
	}
	deadLetter := func(path string, f configs.Fallback) {
		if d := f.DeadLetter; d != nil {
			ends = append(ends, End{
				Path: path + ".dead-letter", Broker: d.Broker, At: deadLetterAddress(*d), As: broker.AsDestination,
				Predeclared: true,
			})
		}
	}
	deadLetter(path+".on-refused", s.OnRefused)
	deadLetter(path+".on-unroutable", s.OnUnroutable)
	return ends
}
