// Package configs reads weir.yaml: the schema, the defaults, the checks and the secrets. It is the only package that
// knows YAML; everybody else is handed plain structs in which every default has been filled in.
//
// # Flow
//
//	locate.go   Locate     which file, and which flags and WEIR_* variables lie over its process settings
//	load.go     Load       reads the file; Parse does the rest
//	tree.go     parseTree  bytes -> nodes with positions: anchors resolved, ${env:NAME} expanded, duplicate keys found
//	decode.go   value      nodes -> structs, strictly, starting from the defaults in defaults.go
//	resolve.go  resolve    what one setting takes from another: names, local, defaults, upstreams behind their sets
//	check_*.go  check      what no single value can be blamed for: references, thresholds, words of another broker
//
// No step stops at its first mistake: a [Problem] is noted and the next value read, so that one run shows them all.
//
// # Adding a setting
//
// Add the field with its yaml tag, its default in defaults.go if it has one, its checks in the check file of its block,
// and a line with a comment in weir.yaml (the comment becomes the description in the JSON schema). Then run the tests
// with -update. The tags that decode.go understands beside yaml:
//
//	jsonschema:"required,minimum=1,maximum=9"  as in the JSON schema, and enforced
//	unit:"s"       a duration whose bare number has this unit (RabbitMQ's for that key); without it a unit must be written
//	least:"1s"     the shortest duration
//	on:"nats"      the broker types that have this key
//	file:"true"    a path; a relative one starts at the folder of weir.yaml
package configs
