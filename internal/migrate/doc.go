// Package migrate turns the definitions of a RabbitMQ that runs its own federation and shovel plugins into a weir.yaml that
// does the same, and says what has no equal.
//
//	definitions.go  the file that RabbitMQ exports
//	fields.go       the value of a parameter: each key is taken once, what is left over is told
//	uri.go          a uri of the plugins -> nodes, a login, TLS
//	brokers.go      uris -> the brokers: of weir.yaml, one for each cluster, virtual host and login
//	names.go        names of brokers and of variables; names that two virtual hosts share
//	upstreams.go    federation-upstream, federation-upstream-set
//	policies.go     policies that federate
//	overlap.go      what other rules of RabbitMQ have to do with them
//	shovels.go      dynamic shovels
//	remarks.go      what an operator must know
//	yaml.go         mappings, lists and values
//	file.go         the file, part by part
//	import.go       the order of all that; start here
//
// A password never leaves this package: the file names a variable in its place.
package migrate
