package configs

// Config is a weir.yaml that has been read, checked and completed. It is plain data: defaults are filled in, references
// are known to lead somewhere, and nothing in it changes after loading. Secrets in it cannot print.
type Config struct {
	// Version is the version of the schema, which is 1.
	Version int `yaml:"version" jsonschema:"enum=1"`
	// Site is who this gateway speaks for: it names buffers and stamps hops. It may be empty where nothing is named by it.
	Site string `yaml:"site"`
	// Local names the broker next to the gateway: the default downstream and the default source of a shovel.
	Local string `yaml:"local"`
	// Brokers are the clusters that messages are moved between, by name.
	Brokers map[string]Broker `yaml:"brokers"`

	// Upstreams are where federated messages come from, by name.
	Upstreams map[string]Upstream `yaml:"upstreams"`
	// UpstreamSets are named lists of upstreams. The set "all" is not among them; see UpstreamsOf.
	UpstreamSets map[string][]SetMember `yaml:"upstream-sets"`
	// Policies pick what is federated, by name.
	Policies map[string]Policy `yaml:"policies"`
	// Shovels are the declared links, by name.
	Shovels map[string]Shovel `yaml:"shovels"`

	// Defaults have already been copied into the shovels and upstreams that do not say otherwise.
	Defaults  LinkSettings `yaml:"defaults"`
	Telemetry Telemetry    `yaml:"telemetry"`
	Admin     Admin        `yaml:"admin"`
}
