package configs

// Telemetry says what the process tells about itself.
type Telemetry struct {
	Traces Traces `yaml:"traces"`
	Logs   Logs   `yaml:"logs"`
}

// Propagation is what becomes of the traceparent header.
type Propagation string

// What can become of it.
const (
	PropagateUpdate   Propagation = "update"   // it names weir's publish span, in the message's own trace
	PropagatePreserve Propagation = "preserve" // it stays as the producer wrote it
	PropagateOff      Propagation = "off"      // no spans
)

func (Propagation) words() []string { return []string{"update", "preserve", "off"} }

// Traces are the spans of messages.
type Traces struct {
	// Endpoint is the collector, http:// or https://: OTLP over HTTP at port 4318 or with a path, or where
	// OTEL_EXPORTER_OTLP_PROTOCOL says so, and over gRPC otherwise. Empty: what OTEL_EXPORTER_OTLP_* says, or none.
	Endpoint string `yaml:"endpoint"`
	// Ratio is the share of messages without a trace of their own that get one, 0 to 1.
	Ratio       float64     `yaml:"ratio" jsonschema:"minimum=0,maximum=1"`
	Propagation Propagation `yaml:"propagation"`
}

// LogLevel is the least important level that is logged.
type LogLevel string

// The log levels; slog.Level.UnmarshalText reads them.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

func (LogLevel) words() []string { return []string{"debug", "info", "warn", "error"} }

// LogFormat is the notation of log lines.
type LogFormat string

// The notations.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

func (LogFormat) words() []string { return []string{"text", "json"} }

// Logs are what goes to standard error.
type Logs struct {
	Level  LogLevel  `yaml:"level"`
	Format LogFormat `yaml:"format"`
}

// Admin is the status page, the API and the metrics.
type Admin struct {
	// Listen is host:port; empty: no HTTP listener.
	Listen string `yaml:"listen"`
	// Socket is the unix socket of the command line; empty: weir.sock in the runtime directory.
	Socket string `yaml:"socket" file:"true"`
	// TokenFile holds the token that writes over HTTP need; empty: no writes over HTTP.
	TokenFile string `yaml:"token-file" file:"true"`
}

// ReadToken returns the token, read at each call; it is empty without a file.
func (a Admin) ReadToken() (string, error) { return readSecret(Secret{}, a.TokenFile) }
