package migrate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// definitions are what weir looks at in a file of definitions. Users, permissions and bindings stay RabbitMQ's.
type definitions struct {
	VHost      string            `json:"original_vhost_name"`   // of an export of one vhost, in newer versions
	Cluster    string            `json:"original_cluster_name"` // as above
	Global     []globalSetting   `json:"global_parameters"`
	Parameters *[]parameter      `json:"parameters"`
	Policies   *[]policy         `json:"policies"`
	Exchanges  []exchangeOrQueue `json:"exchanges"`
	Queues     []exchangeOrQueue `json:"queues"`
}

type globalSetting struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// parameter is a runtime parameter. VHost is empty in the export of one vhost.
type parameter struct {
	VHost     string          `json:"vhost"`
	Component string          `json:"component"`
	Name      string          `json:"name"`
	Value     json.RawMessage `json:"value"`
}

type policy struct {
	VHost      string         `json:"vhost"`
	Name       string         `json:"name"`
	Pattern    string         `json:"pattern"`
	ApplyTo    string         `json:"apply-to"`
	Priority   json.Number    `json:"priority"`
	Definition map[string]any `json:"definition"`
}

type exchangeOrQueue struct {
	VHost      string         `json:"vhost"`
	Name       string         `json:"name"`
	AutoDelete bool           `json:"auto_delete"`
	Arguments  map[string]any `json:"arguments"`
}

// want says what a file should have been.
const want = "want the JSON of rabbitmqctl export_definitions, or of GET /api/definitions"

// read understands a file of definitions. Its errors name the line, and hold nothing of the file but a character.
func read(data []byte) (*definitions, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("is empty; " + want)
	}
	var d definitions
	err := json.Unmarshal(data, &d)
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("line %d: not JSON: %w; %s", line(data, syntax.Offset), syntax, want)
	case errors.As(err, &mismatch):
		return nil, fmt.Errorf("line %d: no definitions of RabbitMQ: %s is not what it should be; %s", line(data, mismatch.Offset),
			cmp.Or(strings.Trim(mismatch.Field, "."), "the whole"), want)
	case err != nil:
		return nil, fmt.Errorf("not JSON: %w; %s", err, want)
	case d.Parameters == nil && d.Policies == nil:
		return nil, errors.New("no definitions of RabbitMQ: there are neither parameters nor policies in it; " + want)
	}
	return &d, nil
}

func line(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
}

// clusterName is what the cluster calls itself, or "" where the file does not say.
func (d *definitions) clusterName() string {
	for _, g := range d.Global {
		var name string
		if g.Name == "cluster_name" && json.Unmarshal(g.Value, &name) == nil {
			return name
		}
	}
	return d.Cluster
}

// parameters are those of a component, each with its vhost.
func (d *definitions) parameters(component string) []parameter {
	var found []parameter
	if d.Parameters == nil {
		return nil
	}
	for _, p := range *d.Parameters {
		if p.Component == component {
			found = append(found, p)
		}
	}
	return found
}
